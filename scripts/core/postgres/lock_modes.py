"""PostgreSQL's table locks, as pg_locks spells them: see "Table-Level Locks" in its documentation."""

ACCESS_SHARE = "AccessShareLock"
"""SELECT takes it."""
ROW_EXCLUSIVE = "RowExclusiveLock"
"""INSERT, UPDATE and DELETE take it."""
SHARE = "ShareLock"
ACCESS_EXCLUSIVE = "AccessExclusiveLock"

BLOCKS = {
    SHARE: "writes",
    "ShareRowExclusiveLock": "writes",
    "ExclusiveLock": "writes",
    ACCESS_EXCLUSIVE: "reads and writes",
}
"""What a lock blocks, the weakest lock first. Other locks block neither reads nor writes."""
BLOCKING = ", ".join(f"'{mode}'" for mode in BLOCKS)
"""The same modes, for SQL."""
