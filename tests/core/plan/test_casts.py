"""What a change of type does to values is what PostgreSQL does to them."""

from itertools import permutations

import pytest
from sqlalchemy import Connection

from scripts.core.plan import casts

VALUES = {
    "smallint": ["-32768"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "real": ["1.5", "-1.1754944e-38", "3e38"],
    "double precision": ["1.5", "0.12345678901234", "-2.2250738585072014e-308", "1e300"],
    "numeric": ["1.5", "0.12345678901234567890123", "1234567890" * 5],
    "numeric(4,0)": ["9999"],
    "numeric(5,2)": ["1.25", "-999.99"],
    "numeric(9,0)": ["999999999"],
    "numeric(10,0)": ["9999999999"],
    "numeric(10,5)": ["1.23456", "99999.99999"],
    "numeric(12,5)": ["1.23456", "-9999999.99999"],
    "numeric(18,0)": ["999999999999999999"],
    "numeric(19,0)": ["9999999999999999999"],
    "numeric(25,3)": ["1.234", "9999999999999999999999.999"],
    "character varying": ["x" * 99],
    "character varying(8)": ["x" * 8],
    "character varying(40)": ["x" * 40],
    "character varying(8)[]": ["{" + ",".join(["xxxxxxxx"] * 9) + "}"],
    "character varying(4)[]": ["{" + ",".join(["xxxx"] * 19) + "}"],
    "character(12)": ["x" * 12],
    "character(3)": ["xyz"],
    "text": ["x" * 99],
    "name": ["x" * 63],
    "boolean": ["false"],
    "uuid": ["00000000-0000-0000-0000-000000000001"],
    "date": ["2026-01-02", "0099-12-31 BC"],
    "timestamp without time zone": ["2026-01-02 03:04:05.678901"],
    "timestamp(3) without time zone": ["2026-01-02 03:04:05.678"],
    "timestamp with time zone": ["2026-01-02 03:04:05.678901+00"],
    "timestamp(0) with time zone": ["2026-01-02 03:04:05+00"],
    "time without time zone": ["03:04:05.678901"],
    "time(3) without time zone": ["03:04:05.678"],
    "time with time zone": ["03:04:05.678901+05"],
    "interval": ["03:04:05.678901", "-178000000 years -11 mons -2147483648 days -03:04:05.678901"],
    "interval(0)": ["-178000000 years -11 mons -2147483648 days -03:04:05"],
    "interval year to month": ["-178000000 years -11 mons"],
    "interval day to second(3)": ["3 days 03:04:05.678", "-178000000 years -11 mons -2147483648 days -03:04:05.678"],
    "interval hour": ["-178000000 years -11 mons -2147483648 days -03:00:00"],
    "inet": ["10.0.0.1/8", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/120"],
    "cidr": ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120"],
    "bit(8)": ["10101011"],
    "bit(4)": ["1011"],
    "bit varying(6)": ["101011"],
    "bit varying": ["1010101110101011" * 3],
}
# An INSERT casts as a change of type without USING does. A value that cannot come back was cut.
TRY = r"""
CREATE FUNCTION pg_temp.try(old text, new text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE was text; now text; again text;
BEGIN
    EXECUTE format('SELECT %L::%s::text', value, old) INTO was;
    BEGIN
        EXECUTE format('INSERT INTO %I VALUES (%L::%s) RETURNING value::text', 'to ' || new, value, old) INTO now;
    EXCEPTION WHEN datatype_mismatch THEN RETURN 'no cast'; WHEN data_exception THEN RETURN 'fails';
    END;
    BEGIN
        EXECUTE format('SELECT %L::%s::%s::text', rtrim(now),
            CASE WHEN new LIKE 'char%' THEN 'text' ELSE new END, old) INTO again;
    EXCEPTION WHEN OTHERS THEN RETURN 'loses';
    END;
    RETURN CASE WHEN again = was THEN '' ELSE 'loses' END;
END $$"""
KINDS = {"fails": "fails", "cuts": "loses", "rounds": "loses", "": ""}


@pytest.fixture(scope="module")
def tables(administration: Connection) -> Connection:
    """A session with a table for each type, as wide as the type."""
    for statement in (
        "SET TimeZone = 'UTC'",
        TRY.replace("%", "%%"),
        *(f'CREATE TEMP TABLE "to {kind}" (value {kind})' for kind in VALUES),
    ):
        administration.exec_driver_sql(statement)
    return administration


def test_a_cast_loses_what_postgresql_loses(tables: Connection) -> None:
    pairs = [(old, new, value) for old, new in permutations(VALUES, 2) for value in VALUES[old]]
    olds, news, values = (list(column) for column in zip(*pairs, strict=True))
    tried = tables.exec_driver_sql(
        "SELECT old, new, array_agg(pg_temp.try(old, new, value)) FROM unnest(%s::text[], %s::text[], %s::text[])"
        " AS t (old, new, value) GROUP BY 1, 2",
        (olds, news, values),
    )

    found = {(old, new): results for old, new, results in tried if "no cast" not in results}
    expected = {pair: max(results) for pair, results in found.items()}  # a silent loss is worse than an error
    assert len(found) > 300
    assert {pair: KINDS[casts.narrowed(*pair, is_cast=False)] for pair in found} == expected


def test_a_text_that_is_cast_is_cut() -> None:
    assert casts.narrowed("text", "character varying(8)", is_cast=True) == "cuts"
