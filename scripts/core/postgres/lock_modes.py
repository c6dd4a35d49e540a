"""PostgreSQL's table locks that keep the application out: see "Explicit Locking" in its documentation."""

BLOCKS = {
    "ShareLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ExclusiveLock": "writes",
    "AccessExclusiveLock": "reads and writes",
}
"""Whom a table lock keeps out; see "Table-Level Locks" in PostgreSQL's documentation. The others keep out neither."""
