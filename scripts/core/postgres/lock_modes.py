"""PostgreSQL's table locks that block the application: see "Explicit Locking" in its documentation."""

BLOCKS = {
    "ShareLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ExclusiveLock": "writes",
    "AccessExclusiveLock": "reads and writes",
}
"""What a table lock blocks; see "Table-Level Locks" in PostgreSQL's documentation. Other locks block neither."""
