"""Hash partitions. The partition of a row may depend on OIDs, which a restore assigns again."""

from sqlalchemy import Connection, text

from scripts.core.postgres.user_tables import FIRST_OID

_ROOTS = text(
    "SELECT format('%I.%I', n.nspname, c.relname), (SELECT format('%I.%I', rn.nspname, r.relname)"
    "  FROM pg_partition_ancestors(c.oid) WITH ORDINALITY AS a (relid, place)"
    "  JOIN pg_partitioned_table p ON p.partrelid = a.relid AND p.partstrat = 'h'"
    "  JOIN pg_class r ON r.oid = a.relid JOIN pg_namespace rn ON rn.oid = r.relnamespace"
    "  ORDER BY place DESC LIMIT 1)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relispartition"
)
# Values whose hash depends on an OID: of enums, of types made of other types, and of names such as 'users'::regclass.
# The catalogs do not have the types of expressions.
_MAY_MOVE = text(
    "SELECT EXISTS (SELECT FROM pg_partitioned_table p CROSS JOIN unnest(p.partattrs::int2[]) AS key (number)"
    " LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = key.number AND key.number > 0"
    " LEFT JOIN pg_type t ON t.oid = a.atttypid WHERE p.partstrat = 'h'"
    f" AND (t.oid IS NULL OR t.oid >= {FIRST_OID} OR t.typelem >= {FIRST_OID} OR t.typname ~ '^_?reg'))"
)


def roots(connection: Connection) -> dict[str, str]:
    """Return the topmost hash-partitioned table of each partition that stores rows."""
    return {name: root for name, root in connection.execute(_ROOTS) if root}


def may_move(connection: Connection) -> bool:
    """Return whether a restore may have to put rows into other partitions."""
    return bool(connection.scalar(_MAY_MOVE))
