"""Reads what the models can express of their objects.

Storage, statistics, row security, replica identity and clustering are set back first, because SQLAlchemy has no words
for them; so are storage parameters, but for those of an index that the models state. Defaults are read and dropped, so
that they can be compared by their values.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, text

from scripts.core.models.described import OWNED, Owned, listed
from scripts.core.postgres import sql
from scripts.core.postgres.sql import spelled
from scripts.core.schema import repeated_reading
from scripts.core.schema.fingerprint import Schema

QUOTED = r'(?:"(?:[^"]|"")*"|[^\s",.]+)'
NAME = rf"(?:{QUOTED}\.)?{QUOTED}"
OWNER = " OWNED BY "
TABLE = re.compile(rf"table (?P<name>{NAME})")
"""A table's name in Schema."""
PART = re.compile(rf"table (?P<table>{NAME}), (?P<kind>constraint|index|column) (?P<name>{QUOTED})")
"""The name of a table's part in Schema."""
_PART = re.compile(rf"comment|(column|constraint) {QUOTED}(, comment)?|index {QUOTED}")
"""The parts of a table that the models express."""
_TABLES = f"""WITH spaces AS (
    SELECT oid, nspname, CASE nspname WHEN 'public' THEN '' ELSE quote_ident(nspname) || '.' END AS prefix
    FROM pg_namespace
), tables AS (
    SELECT c.*, c.oid::regclass AS here, 'table ' || prefix || quote_ident(relname) AS shown
    FROM pg_class c JOIN spaces s ON s.oid = relnamespace JOIN {OWNED} ON (nspname, relname) = (schema, name)
    WHERE relkind IN ('r', 'p', 'f')
), columns AS (
    SELECT t.here, t.shown, a.*, quote_ident(attname) AS named FROM tables t
    JOIN pg_attribute a ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped
)"""
_NAMES = text("""SELECT kind || ' ' || CASE schema WHEN 'public' THEN '' ELSE quote_ident(schema) || '.' END
    || quote_ident(name) FROM unnest(CAST(:kinds AS text[]), CAST(:schemas AS name[]), CAST(:names AS name[]))
    AS owned (kind, schema, name)""")
_DEFAULTS = text(f"""{_TABLES} SELECT shown || ', column ' || named, pg_get_expr(adbin, adrelid),
    format_type(atttypid, atttypmod) FROM columns JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
    WHERE attgenerated = ''""")
_RESETS = text(f"""{_TABLES}, options AS (
    SELECT oid, relkind, here, string_agg(split_part(option, '=', 1), ', ') AS names
    FROM (SELECT oid, relkind, here, unnest(reloptions) AS option FROM tables
        UNION ALL SELECT t.oid, t.relkind, t.here, 'toast.' || unnest(o.reloptions)
        FROM tables t JOIN pg_class o ON o.oid = t.reltoastrelid
        UNION ALL SELECT i.oid, i.relkind, i.oid::regclass, unnest(i.reloptions)
        FROM tables t JOIN pg_index ON indrelid = t.oid JOIN pg_class i ON i.oid = indexrelid) every
    GROUP BY oid, relkind, here
)
SELECT format('ALTER TABLE %s ALTER %s SET STORAGE DEFAULT', here, named) FROM columns
    JOIN pg_type t ON t.oid = atttypid WHERE attstorage <> typstorage
UNION ALL SELECT format('ALTER TABLE %s ALTER %s SET COMPRESSION DEFAULT', here, named) FROM columns
    WHERE attcompression <> ''
UNION ALL SELECT format('ALTER TABLE %s ALTER %s SET STATISTICS -1', here, named) FROM columns
    WHERE attstattarget >= 0
UNION ALL SELECT format('ALTER TABLE %s ALTER %s RESET (%s)', here, named,
    (SELECT string_agg(split_part(one, '=', 1), ', ') FROM unnest(attoptions) one))
    FROM columns WHERE attoptions IS NOT NULL
UNION ALL SELECT format('ALTER TABLE %s ALTER %s DROP DEFAULT', here, named) FROM columns
    JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum) WHERE attgenerated = ''
UNION ALL SELECT format('ALTER %s %s RESET (%s)', CASE WHEN relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE' END, here,
    names) FROM options
UNION ALL SELECT format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', here) FROM tables
    WHERE relrowsecurity OR relforcerowsecurity
UNION ALL SELECT format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', here) FROM tables
    WHERE relreplident <> 'd' AND relkind IN ('r', 'p')
UNION ALL SELECT format('ALTER TABLE %s SET WITHOUT CLUSTER', here) FROM tables
    WHERE EXISTS (SELECT FROM pg_index WHERE indrelid = oid AND indisclustered)
UNION ALL SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS -1', indexrelid::regclass, attnum) FROM tables
    JOIN pg_index ON indrelid = oid JOIN pg_attribute ON attrelid = indexrelid WHERE attstattarget >= 0""")

# An index that the models do not know may be one of theirs under another name.
_STATED = text(f"""{_TABLES}, stated AS (
    SELECT * FROM unnest(CAST(:spaces AS name[]), CAST(:tables AS name[]), CAST(:indexes AS name[]),
        CAST(:parameters AS text[])) AS stated (space, of, index, parameter)
), options AS (
    SELECT i.oid::regclass AS here, split_part(option, '=', 1) AS parameter, split_part(option, '=', 2) AS value,
        i.relname AS index, t.relname AS of, nspname AS space
    FROM tables t JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_index ON indrelid = t.oid
    JOIN pg_class i ON i.oid = indexrelid, unnest(i.reloptions) option WHERE i.relkind = 'i'
)
SELECT format('ALTER INDEX %s SET (%s)', here, string_agg(format('%I = %L', parameter,
    CASE WHEN value IN ('true', 'yes') THEN 'on' WHEN value IN ('false', 'no') THEN 'off' ELSE value END), ', '
    ORDER BY parameter))
FROM options o WHERE EXISTS (
    SELECT FROM stated s WHERE (s.space, s.of, s.parameter) = (o.space, o.of, o.parameter)
    AND (s.index = o.index OR NOT EXISTS (SELECT FROM stated k WHERE (k.space, k.index) = (o.space, o.index))))
GROUP BY here""")


@dataclass(frozen=True)
class Default:
    expression: str
    type: str
    """The type of the column, as format_type prints it."""


@dataclass(frozen=True)
class Read:
    schema: Schema
    """The whole schema, without defaults of the models' tables."""
    owned: Schema
    """The part of it that the models own and can express."""
    defaults: dict[str, Default]
    """The default of each column, by the column's name in Schema."""


def read(connection: Connection, owned: Sequence[Owned]) -> Read:
    """Read the objects of the models in a throwaway database, which this changes. `connection` is in autocommit."""
    tables = [one for one in owned if one.kind == "table"]
    found = {name: Default(*rest) for name, *rest in connection.execute(_DEFAULTS, listed(tables))}
    stated = connection.scalars(_STATED, {**listed(tables), **_stated(tables)}).all()
    for statement in [*connection.scalars(_RESETS, listed(tables)).all(), *stated]:
        sql.run(connection, spelled(statement))
    schema = repeated_reading.read(connection)
    return Read(schema, _part(schema, names(connection, owned)), found)


def _stated(tables: Sequence[Owned]) -> dict[str, list[str]]:
    rows = [(one.schema, one.name, *index) for one in tables for index in one.indexes]
    return {key: [row[n] for row in rows] for n, key in enumerate(("spaces", "tables", "indexes", "parameters"))}


def parts(name: str) -> tuple[str, ...]:
    """Return the parts of a name such as tenant."Users".mail without their quotes."""
    found = re.findall(QUOTED, name)
    return tuple(one[1:-1].replace('""', '"') if one.startswith('"') else one for one in found)


def names(connection: Connection, owned: Sequence[Owned]) -> list[str]:
    """Return the objects' names as in Schema."""
    return list(connection.scalars(_NAMES, {"kinds": [one.kind for one in owned], **listed(owned)}))


def _part(schema: Schema, owned: Sequence[str]) -> Schema:
    known = set(owned)
    found = {name: definition for name, definition in schema.objects.items() if _is_owned(name, known)}
    # SQLAlchemy cannot say which column owns a Sequence.
    found |= {name: found[name].partition(OWNER)[0] for name in found if name.startswith("sequence ")}
    tables = {name.removeprefix("table ") for name in owned if name.startswith("table ")}
    found |= {
        name: definition
        for name, definition in schema.objects.items()
        if name.startswith("sequence ") and name not in found and owner(definition)[0] in tables
    }
    return replace(schema, objects=found, access={}, order={})


def _is_owned(name: str, owned: set[str]) -> bool:
    if name in owned:
        return True
    ends = (found.start() for found in re.finditer(", ", name))
    whole = next((name[:end] for end in ends if name[:end] in owned), None)
    rest = name.removeprefix(f"{whole}, ")
    return whole is not None and (not whole.startswith("table ") or bool(_PART.fullmatch(rest)))


def owner(definition: str) -> tuple[str, str]:
    """Return the table and the column that own a sequence, without the schema public. Return "" for each if none do."""
    _, _, column = definition.partition(OWNER)
    found = re.fullmatch(rf"(?:public\.)?((?:{QUOTED}\.)?{QUOTED})\.({QUOTED})", column)
    return (found[1], found[2]) if found else ("", "")
