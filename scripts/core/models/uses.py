"""What depends on a column or an enum, so that PostgreSQL refuses to change it alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

from scripts.core.postgres.user_tables import FIRST_OID

# What a parent passes on to partitions and children changes with it.
_USES = text(f"""WITH spaces AS (
    SELECT oid, CASE nspname WHEN 'public' THEN '' ELSE quote_ident(nspname) || '.' END AS prefix FROM pg_namespace
), tables AS (
    SELECT c.oid, 'table ' || prefix || quote_ident(relname) AS shown
    FROM pg_class c JOIN spaces s ON s.oid = relnamespace WHERE relkind IN ('r', 'p') AND c.oid >= {FIRST_OID}
), columns AS (
    SELECT t.oid, attnum, attinhcount, attgenerated, shown || ', column ' || quote_ident(attname) AS shown
    FROM tables t JOIN pg_attribute ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped
), subjects AS (
    SELECT 'pg_class'::regclass AS class, oid, attnum AS part, shown FROM columns
    UNION ALL
    SELECT 'pg_type'::regclass, one, 0, 'enum ' || prefix || quote_ident(typname)
    FROM pg_type t JOIN spaces s ON s.oid = typnamespace, unnest(ARRAY[t.oid, typarray]) one WHERE typtype = 'e'
)
SELECT DISTINCT s.shown,
    CASE WHEN c.oid IS NOT NULL THEN 'column' WHEN e.attgenerated = '' THEN 'default'
        WHEN contype IS NOT NULL AND conrelid <> 0 THEN 'constraint' WHEN relkind IN ('i', 'I') THEN 'index'
        ELSE 'other' END,
    coalesce(c.shown, e.shown, k.shown || ', constraint ' || quote_ident(conname),
        i.shown || ', index ' || quote_ident(r.relname), pg_describe_object(classid, objid, objsubid)),
    CASE WHEN e.attgenerated = '' THEN pg_get_expr(adbin, adrelid) END
FROM pg_depend JOIN subjects s ON (refclassid, refobjid, refobjsubid) = (class, s.oid, part)
LEFT JOIN columns c ON classid = 'pg_class'::regclass AND (objid, objsubid) = (c.oid, c.attnum)
LEFT JOIN pg_attrdef d ON classid = d.tableoid AND d.oid = objid
LEFT JOIN columns e ON (e.oid, e.attnum) = (adrelid, adnum)
LEFT JOIN pg_constraint o ON classid = o.tableoid AND o.oid = objid
LEFT JOIN tables k ON k.oid = conrelid
LEFT JOIN pg_class r ON classid = r.tableoid AND r.oid = objid AND objsubid = 0
LEFT JOIN pg_index ON indexrelid = r.oid
LEFT JOIN tables i ON i.oid = indrelid
WHERE deptype IN ('n', 'a') AND coalesce(contype, '') <> 'n' AND coalesce(relkind, '') <> 'S'
    AND coalesce(c.attinhcount, coninhcount, relispartition::int, 0) = 0
    AND (e.attgenerated <> '' AND e.shown = s.shown) IS NOT TRUE
ORDER BY 1, 2, 3""")


@dataclass(frozen=True)
class Use:
    kind: Literal["column", "default", "constraint", "index", "other"]
    name: str
    """As in Schema, or as PostgreSQL describes what is of another kind."""
    expression: str | None
    """Of a default."""


def read(connection: Connection) -> dict[str, list[Use]]:
    """Return the uses of each column and each enum, by the names in Schema."""
    found = dict[str, list[Use]]()
    for subject, *rest in connection.execute(_USES):
        found.setdefault(subject, []).append(Use(*rest))
    return found


def default(uses: Sequence[Use], column: str) -> str | None:
    """Return the expression of the column's own default."""
    return next((one.expression for one in uses if one.kind == "default" and one.name == column), None)
