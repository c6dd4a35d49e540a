"""Hash partitions: where a row goes may depend on numbers (OIDs) that a restore gives to types."""

from sqlalchemy import Connection, text

_ROOTS = text(
    "SELECT format('%I.%I', n.nspname, c.relname), (SELECT format('%I.%I', rn.nspname, r.relname)"
    "  FROM pg_partition_ancestors(c.oid) WITH ORDINALITY AS a (relid, place)"
    "  JOIN pg_partitioned_table p ON p.partrelid = a.relid AND p.partstrat = 'h'"
    "  JOIN pg_class r ON r.oid = a.relid JOIN pg_namespace rn ON rn.oid = r.relnamespace"
    "  ORDER BY place DESC LIMIT 1)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relispartition"
)
# Values whose hash is of an OID: of an enum, of what is made of other types, and of a name such as 'users'::regclass.
# What an expression gives is in no catalog.
_MAY_MOVE = text(
    "SELECT EXISTS (SELECT FROM pg_partitioned_table p CROSS JOIN unnest(p.partattrs::int2[]) AS key (number)"
    " LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = key.number AND key.number > 0"
    " LEFT JOIN pg_type t ON t.oid = a.atttypid WHERE p.partstrat = 'h'"
    " AND (t.oid IS NULL OR t.oid >= 16384 OR t.typelem >= 16384 OR t.typname ~ '^_?reg'))"
)


def roots(connection: Connection) -> dict[str, str]:
    """Return, for each partition with rows of its own, the topmost hash-partitioned table that it is a part of."""
    return {name: root for name, root in connection.execute(_ROOTS) if root}


def may_move(connection: Connection) -> bool:
    """Return whether a restore may have to put rows into other partitions than they were in."""
    return bool(connection.scalar(_MAY_MOVE))
