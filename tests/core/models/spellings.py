"""Random models, and the same schema in other words: SQL as people write it, and what PostgreSQL prints the same."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.dialects import postgresql as pg

Default = tuple[Any, list[str]]
"""A server_default, and spellings of it in SQL."""
Check = tuple[str, list[str]]
"""A condition on {}, a column, and other spellings of it."""
Words = tuple[list[Default], list[Check]]
WORDS: Words = (
    [
        ("x", ["'x'", "'x'::text", "CAST('x' AS varchar)", "('x')", "'x'::varchar(9)"]),
        ("it's 50% \\ :a", ["'it''s 50% \\ :a'", "E'it\\'s 50% \\\\ :a'", "$$it's 50% \\ :a$$"]),
        ("", ["''", "''::text"]),
        (text("lower('A')"), ["lower('A')", "lower('A'::text)", "'a'"]),
        (text("current_user"), ["current_user", "CURRENT_USER"]),
    ],
    [
        (
            "{} IN ('a', 'b''')",
            ["{} = ANY (ARRAY['a', 'b'''])", "{} IN ('a'::text, 'b''')", "({})::text in ('a', 'b''')"],
        ),
        ("{} <> ''", ["{} != ''", "{} <> ''::text"]),
        ("length({}) > 3", ["length({}::text) > 3", "(length({})) > (3)"]),
        ("{} LIKE 'a%'", ["{} ~~ 'a%'", "{} like 'a%'::text"]),
        ("{} IS NOT NULL AND {} ~ '^[a-z:]+$'", ["({} IS NOT NULL) AND ({} ~ '^[a-z:]+$'::text)"]),
        ("{} > 'a' AND {} < 'x' AND {} <> 'n' OR {} = ''", ["(({} > 'a' AND {} < 'x') AND {} <> 'n') OR {} = ''"]),
        ("upper({}) = {}", ["upper({}::text) = {}::text"]),
        ("coalesce({}, 'z') <> 'q'", ["COALESCE({}, 'z'::varchar) <> 'q'"]),
    ],
)
NUMBERS: Words = (
    [
        ("7", ["7", "'7'", "(3 + 4)", "7::bigint", "'7'::int", "CAST(7 AS numeric)"]),
        ("-1", ["-1", "'-1'", "(-1)", "- 1"]),
        (text("0"), ["0", "'0'"]),
        (sa.literal(3), ["3", "'3'"]),
    ],
    [
        ("{} > 0", ["({}) > (0)"]),
        ("{} BETWEEN 1 AND 5", ["{} >= 1 AND {} <= 5"]),
        ("{} IN (1, 2)", ["{} in (1,2)"]),
        ("mod({}, 2) = 0 AND {} <> 4 AND {} > 1", ["((mod({}, 2)) = 0 AND {} <> 4) AND {} > 1"]),
        (
            "{} > 0 OR {} IS NULL OR {} = -1",
            ["({} > 0 OR {} IS NULL) OR {} = -1", "({} > 0 or {} is null or {} = (-1))"],
        ),
    ],
)
FLOATS: Words = NUMBERS[0], [("{} >= 0.5", ["{} >= .5", "({} >= 0.5)"])]
TIMES: Words = (
    [
        (sa.func.now(), ["now()", "CURRENT_TIMESTAMP", "transaction_timestamp()", "pg_catalog.now()"]),
        (text("CURRENT_TIMESTAMP"), ["now()", "current_timestamp"]),
        (text("timezone('utc', now())"), ["(now() at time zone 'utc')", "timezone('utc'::text, CURRENT_TIMESTAMP)"]),
        (text("now() + interval '1 day'"), ["now() + '1 day'::interval", "CURRENT_TIMESTAMP + interval '1 day'"]),
        ("2020-01-02 03:04:05", ["'2020-01-02 03:04:05'", "'2020-01-02T03:04:05'"]),
    ],
    [("{} > '2020-01-01'", ["{} > '2020-01-01 00:00:00'"])],
)
NO: Words = [], []
JSON: Words = [("{}", ["'{}'", "'{}'::json"]), (text("'[1, 2]'"), ["'[1, 2]'::json"])], []
JSONB: Words = [("{}", ["'{}'", "'{}'::jsonb", "' { } '"]), ("[1,2]", ["'[1, 2]'::jsonb"])], []
ARRAYS: Words = (
    [("{}", ["'{}'", "ARRAY[]::integer[]", "'{}'::int[]"]), (text("'{1,2}'"), ["ARRAY[1, 2]", "'{1, 2}'::int4[]"])],
    [("cardinality({}) < 9", ["(cardinality({}) < (9))"])],
)
BOOLEANS: Words = (
    [
        (sa.true(), ["true", "'t'", "TRUE", "'yes'", "'1'::boolean", "(1 = 1)", "(NOT false)"]),
        ("0", ["false", "'off'", "'f'::bool"]),
        ("false", ["false", "FALSE"]),
    ],
    [("{} IS NOT TRUE", ["({} is not true)"]), ("NOT {} OR {} IS NULL", ["(NOT {}) or ({} IS NULL)"])],
)
UUIDS: Words = (
    [
        (text("gen_random_uuid()"), ["gen_random_uuid()", "pg_catalog.gen_random_uuid()"]),
        (
            "00000000-0000-0000-0000-00000000000a",
            ["'{00000000-0000-0000-0000-00000000000A}'", "'0000000000000000000000000000000a'::uuid"],
        ),
    ],
    [],
)
DATES: Words = (
    [
        (text("CURRENT_DATE"), ["current_date", "CURRENT_DATE"]),
        ("2020-01-02", ["'2020-01-02'::date", "date '2020-01-02'", "'Jan 2 2020'", "make_date(2020, 1, 2)"]),
    ],
    [("{} > '2020-01-01'", ["{} > date '2020-01-01'"])],
)
INTERVALS: Words = (
    [("1 day", ["interval '1 day'", "'1d'", "'P1D'", "'1 day'::interval"]), ("1h", ["'01:00'", "interval '1' hour"])],
    [],
)
TYPES: list[tuple[Any, list[str], Words]] = [
    (sa.Integer, ["integer", "int", "int4"], NUMBERS),
    (sa.SmallInteger, ["smallint", "int2"], NUMBERS),
    (sa.BigInteger, ["bigint", "int8"], NUMBERS),
    (sa.Numeric(9, 2), ["numeric(9,2)", "decimal(9, 2)", "dec(9,2)"], FLOATS),
    (sa.Numeric(5), ["numeric(5)", "numeric(5,0)", "decimal(5)"], FLOATS),
    (sa.Numeric, ["numeric", "decimal"], FLOATS),
    (sa.Float, ["float", "float8", "double precision", "float(53)"], FLOATS),
    (sa.Float(20), ["real", "float4", "float(1)"], FLOATS),
    (sa.Double, ["double precision", "float(25)"], FLOATS),
    (sa.REAL, ["real", "float(24)"], FLOATS),
    (sa.String, ["varchar", "character varying"], WORDS),
    (
        sa.String(80),
        ["varchar(80)", "character varying(80)", "char varying(80)", "national character varying(80)"],
        WORDS,
    ),
    (sa.Text, ["text"], WORDS),
    (sa.UnicodeText, ["text"], WORDS),
    (sa.CHAR(30), ["char(30)", "character(30)", "bpchar(30)", "nchar(30)"], (WORDS[0][:3], [])),
    (sa.CHAR, ["char", "character(1)", "bpchar(1)"], NO),
    (sa.String(50, collation="C"), ['varchar(50) COLLATE "C"', 'character varying(50) COLLATE pg_catalog."C"'], WORDS),
    (sa.Enum("u", "v", name="unused", native_enum=False), ["varchar(1)"], NO),
    (sa.Boolean, ["boolean", "bool"], BOOLEANS),
    (sa.Date, ["date"], DATES),
    (sa.DateTime, ["timestamp", "timestamp without time zone"], TIMES),
    (sa.DateTime(timezone=True), ["timestamptz", "timestamp with time zone"], TIMES),
    (pg.TIMESTAMP(True, 3), ["timestamptz(3)", "timestamp(3) with time zone"], TIMES),
    (sa.Time, ["time", "time without time zone"], ([("12:00", ["'12:00:00'", "time '12:00'", "'12:00 PM'"])], [])),
    (sa.Time(timezone=True), ["timetz", "time with time zone"], NO),
    (sa.Interval, ["interval"], INTERVALS),
    (pg.INTERVAL(fields="DAY TO SECOND", precision=3), ["interval day to second(3)"], NO),
    (sa.LargeBinary, ["bytea"], ([("\\xff", ["'\\xff'", "'\\377'", "decode('ff', 'hex')"])], [])),
    (sa.Uuid, ["uuid"], UUIDS),
    (sa.Uuid(native_uuid=False), ["char(32)", "character(32)"], NO),
    (sa.JSON, ["json"], JSON),
    (pg.JSONB, ["jsonb"], JSONB),
    (sa.ARRAY(sa.Integer), ["integer[]", "int4[]", "int ARRAY", "int[3]"], ARRAYS),
    (pg.ARRAY(sa.BigInteger, dimensions=2), ["bigint[][]", "int8[]"], NO),
    (
        pg.ARRAY(sa.String(5)),
        ["varchar(5)[]", "character varying(5)[]"],
        ([("{}", ["'{}'", "'{}'::text[]", "ARRAY[]::varchar[]"])], []),
    ),
    (
        pg.ARRAY(sa.Text),
        ["text[]"],
        ([(text("ARRAY['a', 'b']"), ["'{a,b}'", "ARRAY['a'::text, 'b']", "string_to_array('a,b', ',')"])], []),
    ),
    (pg.INET, ["inet"], ([("127.0.0.1", ["'127.0.0.1'", "'127.0.0.1/32'::inet"])], [])),
    (pg.CIDR, ["cidr"], NO),
    (pg.MACADDR, ["macaddr"], NO),
    (pg.MACADDR8, ["macaddr8"], NO),
    (pg.MONEY, ["money"], NO),
    (pg.BIT(4), ["bit(4)"], ([(text("B'1010'"), ["B'1010'", "'1010'", "X'A'"])], [])),
    (pg.BIT(5, varying=True), ["bit varying(5)", "varbit(5)"], NO),
    (pg.TSVECTOR, ["tsvector"], NO),
    (pg.INT4RANGE, ["int4range"], ([("[1,5)", ["'[1,4]'", "int4range(1, 5)", "'[1,5)'::int4range"])], [])),
    (pg.TSTZRANGE, ["tstzrange"], ([("empty", ["'empty'"])], [])),
    (pg.NUMMULTIRANGE, ["nummultirange"], NO),
    (pg.OID, ["oid"], NO),
    (pg.REGCLASS, ["regclass"], NO),
    (sa.PickleType, ["bytea"], NO),
]
NAMES = ["plain", "Order", "user", "a b", "größe", 'q"uote', "50%", "c:d", "with.dot", "_x1", "Ünïcode", "select"]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def escaped(words: str) -> str:
    """Return SQL as text() wants it."""
    return words.replace(":", "\\:")


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def path(schema: str | None, name: str) -> str:
    return f"{quoted(schema)}.{quoted(name)}" if schema else quoted(name)
