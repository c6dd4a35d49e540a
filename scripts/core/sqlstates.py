"""SQLSTATEs: the codes of PostgreSQL's errors, with the names of the appendix "PostgreSQL Error Codes"."""

FEATURE_NOT_SUPPORTED = "0A000"
STRING_DATA_RIGHT_TRUNCATION = "22001"
NOT_NULL_VIOLATION = "23502"
FOREIGN_KEY_VIOLATION = "23503"
UNIQUE_VIOLATION = "23505"
ACTIVE_SQL_TRANSACTION = "25001"
"""The statement cannot run inside a transaction."""
DEPENDENT_OBJECTS_STILL_EXIST = "2BP01"
INVALID_CATALOG_NAME = "3D000"
"""The database does not exist."""
INVALID_SCHEMA_NAME = "3F000"
DEADLOCK_DETECTED = "40P01"
INSUFFICIENT_PRIVILEGE = "42501"
SYNTAX_ERROR = "42601"
DUPLICATE_COLUMN = "42701"
UNDEFINED_COLUMN = "42703"
UNDEFINED_OBJECT = "42704"
DUPLICATE_OBJECT = "42710"
DUPLICATE_FUNCTION = "42723"
DATATYPE_MISMATCH = "42804"
CANNOT_COERCE = "42846"
UNDEFINED_FUNCTION = "42883"
UNDEFINED_TABLE = "42P01"
DUPLICATE_DATABASE = "42P04"
DUPLICATE_SCHEMA = "42P06"
DUPLICATE_TABLE = "42P07"
DISK_FULL = "53100"
OUT_OF_MEMORY = "53200"
"""PostgreSQL also uses this code if it has no room for another lock."""
LOCK_NOT_AVAILABLE = "55P03"
UNSAFE_NEW_ENUM_VALUE_USAGE = "55P04"
QUERY_CANCELED = "57014"
CANNOT_CONNECT_NOW = "57P03"

UNDEFINED_FILE = "58P01"
"""An extension is not installed on the server."""

DUPLICATES = {DUPLICATE_OBJECT, DUPLICATE_FUNCTION, DUPLICATE_SCHEMA, DUPLICATE_TABLE}
"""Something of that name already exists."""

# Ours, of the trigger in rollback/write_triggers.py. Its message contains only the name of a table.
rows_on_another_server = "SA001"

# The first two characters of a code are its class.
CLASS_DATA_EXCEPTION = "22"
CLASS_INTEGRITY_CONSTRAINT_VIOLATION = "23"
CLASS_CONFIGURATION_FILE_ERROR = "F0"
CLASS_FOREIGN_DATA_WRAPPER_ERROR = "HV"
CLASS_PL_PGSQL_ERROR = "P0"
CLASS_INTERNAL_ERROR = "XX"


def of(error: object) -> str:
    """Return the code of an error of SQLAlchemy or the driver; nothing if it comes from no server."""
    return getattr(getattr(error, "orig", error), "pgcode", None) or ""
