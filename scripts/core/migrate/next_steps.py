"""What to do about the errors of PostgreSQL that revisions meet often."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.core import missing_packages, redaction, sqlstates
from scripts.core.migrate.run_context import Conditions
from scripts.core.migrate.steps import Steps
from scripts.core.postgres import extensions, own_tables
from scripts.core.postgres.sql import compose, spelled
from scripts.core.revisions import sources

BLOCK = 'write it inside "with op.get_context().autocommit_block():"'
KEYS = "correct these rows first (make verify-staging shows their keys)"

_NO_VALUE = "cd3x"
"""SQLAlchemy's code where a parameter has no value. It takes a colon and a name for a parameter."""
_NAME = r'(?:"(?:[^"]|"")*"|[^\s".])+(?:\.(?:"(?:[^"]|"")*"|[^\s".])+)?'
_USING = re.compile(r'USING (.+::[^«»“”„]+?)["«»“”„]?\.?$')
_QUOTED = re.compile(r'["«»“”„]([^"«»“”„]+)["«»“”„]')
_CREATE_TYPE = re.compile(rf"\s*CREATE\s+TYPE\s+({_NAME})", re.IGNORECASE)
_COLUMN = re.compile(r"\s*(CREATE\s+TABLE|ALTER\s+TABLE\s.*\b(ADD|TYPE))\b", re.IGNORECASE | re.DOTALL)
_TABLE = re.compile(rf"\s*ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?({_NAME})", re.IGNORECASE)
_NEW_TYPE = re.compile(rf"\sALTER\s+(?:COLUMN\s+)?{_NAME}\s+(SET\s+DATA\s+)?TYPE\s", re.IGNORECASE)
_WRITES_VERSION = re.compile(
    rf"\s*(INSERT\s+INTO|UPDATE)\s+(\S+\.)?\"?{re.escape(own_tables.VERSION_TABLE)}\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Failure:
    said: str
    statement: str
    source: str
    """The text of the revision's files."""
    name: str
    """The first quoted name in PostgreSQL's message."""
    details: str
    table: str
    column: str
    conditions: Conditions
    steps: Steps


def find(error: Exception, said: str, details: list[str], conditions: Conditions, steps: Steps) -> str:
    """Return the next step after an error, or nothing. `said` and `details` are PostgreSQL's words without values."""
    if isinstance(error, ModuleNotFoundError):
        return missing_packages.install(error)
    if getattr(getattr(error, "orig", None), "code", None) == _NO_VALUE:
        return r"write \: for each colon in that text that begins no parameter, such as one within JSON"
    step = _STEPS.get(sqlstates.of(error))
    if not step:
        return ""
    fields: Any = getattr(getattr(error, "orig", error), "diag", None)
    name = _QUOTED.search(said)
    found = Failure(
        said,
        redaction.begin(str(getattr(error, "statement", "") or "")),
        source(steps),
        name[1] if name else "…",
        "\n".join(details),
        fields.table_name or "",
        fields.column_name or "",
        conditions,
        steps,
    )
    return step(found)


def source(steps: Steps) -> str:
    """Return the text of the source of the revision that runs."""
    path = getattr(steps.running.up_revision, "path", None) if steps.running else None
    return sources.text(Path(path)) if path else ""


def _of_type_mismatch(found: Failure) -> str:
    if not _NEW_TYPE.search(found.statement):
        return ""
    if using := _USING.search(found.details):
        return f"write postgresql_using={using[1]!r} in that op.alter_column (in SQL: USING {using[1]})"
    return "remove the column's default first (server_default=None), and set it again after that line"


def _of_existing(found: Failure) -> str:
    """Return the step for a type. Other objects have no common one."""
    if not (made := _CREATE_TYPE.match(found.statement)):
        return ""
    drop = f"make psql c={shlex.quote(compose('DROP TYPE {}', spelled(made[1])))}"
    return (
        f"{drop}   (an earlier downgrade left it: drop it there too)."
        " If a table uses it, write create_type=False in postgresql.ENUM instead"
    )


def _of_undefined(found: Failure) -> str:
    if extension := extensions.of_type(found.name):
        return f'create its extension before that line: op.execute("CREATE EXTENSION IF NOT EXISTS {extension}")'
    if _COLUMN.match(found.statement):
        return (
            "create the type before that line. If an extension has it:"
            ' op.execute("CREATE EXTENSION IF NOT EXISTS …"). If it is an enum:'
            f" postgresql.ENUM(…, name={found.name!r}).create(op.get_bind(), checkfirst=True)"
        )
    if table := _TABLE.match(found.statement):
        describe = shlex.quote(rf"\d {table[1]}")
        return f"correct that name (make psql c={describe} shows the names)"
    return ""


def _of_schema(found: Failure) -> str:
    return f"write op.execute('CREATE SCHEMA IF NOT EXISTS {found.name}') before that line"


def _of_existing_table(found: Failure) -> str:
    if not found.steps.at_base:
        return ""
    return "make stamp, which finds the revision of this schema   (if other migrations made these tables)"


def _of_privilege(found: Failure) -> str:
    role = found.conditions.url.username or "that migrates"
    return f"let the owner or an administrator give role {role} that right, or make it the owner"


def _of_length(found: Failure) -> str:
    if _WRITES_VERSION.match(found.statement):
        return "shorten the revision's id to 32 characters"
    return KEYS


def _of_null(found: Failure) -> str:
    table, column = found.table, found.column
    if not (table and column):
        return "give the rows a value before that line. A new column of this domain needs server_default="
    if not found.statement.lstrip().upper().startswith("ALTER"):
        return f"give {column} a value in that statement"
    return (
        f"give the rows a value before that line: op.execute('UPDATE {table} SET {column} = … WHERE {column} IS NULL')."
        " A new column needs server_default="
    )


def _of_unsupported(found: Failure) -> str:
    if extensions.creates(found.statement):
        return _of_missing_extension(found)
    if not _NEW_TYPE.search(found.statement) or not found.details:
        return ""
    return "drop these objects before that line, and create them again after it"


def _of_table(found: Failure) -> str:
    if not _NEW_TYPE.search(found.statement):
        return ""
    return "rename that table, create it with the new type, and copy the rows in batches   (a partition key stays)"


def _of_missing_extension(found: Failure) -> str:
    """Return the step for an extension that is not installed on the server. The file is right."""
    if found.conditions.settings.runtime == "embedded":
        return "use a server that has it: RUNTIME=docker"
    server = "the scratch server" if found.conditions.tracer else "that server"
    return f"install the extension on {server} (in Docker: POSTGRES_IMAGE in .env names an image that has it)"


def _of_memory(found: Failure) -> str:
    if "max_locks_per_transaction" in found.details:
        return "set a higher max_locks_per_transaction on the server, or split the revision"
    return "split the statement, or give the server more memory"


def _of_cancellation(found: Failure) -> str:
    if "user request" in found.said:
        return "find out why another session cancelled the statement (pg_cancel_backend)"
    if "statement_timeout" in f"{found.statement} {found.source}".lower():
        return "raise the statement_timeout that the revision sets, or split the statement"
    seconds = found.conditions.settings.limits.statement_timeout
    return f"split the statement, or set STATEMENT_TIMEOUT in .env above {seconds:g} s"


_STEPS: dict[str, Callable[[Failure], str]] = {
    sqlstates.DATATYPE_MISMATCH: _of_type_mismatch,
    sqlstates.DUPLICATE_OBJECT: _of_existing,
    sqlstates.UNDEFINED_OBJECT: _of_undefined,
    sqlstates.ACTIVE_SQL_TRANSACTION: lambda _: BLOCK,
    sqlstates.UNSAFE_NEW_ENUM_VALUE_USAGE: lambda _: BLOCK.replace(" it ", " ALTER TYPE … ADD VALUE "),
    sqlstates.INVALID_SCHEMA_NAME: _of_schema,
    sqlstates.DUPLICATE_TABLE: _of_existing_table,
    sqlstates.INSUFFICIENT_PRIVILEGE: _of_privilege,
    sqlstates.STRING_DATA_RIGHT_TRUNCATION: _of_length,
    sqlstates.UNTRANSLATABLE_CHARACTER: lambda _: (
        "write that text without the character: the database's encoding has none for it"
        "   (make psql c='SHOW server_encoding')"
    ),
    sqlstates.NOT_NULL_VIOLATION: _of_null,
    sqlstates.FOREIGN_KEY_VIOLATION: lambda _: KEYS,
    sqlstates.UNIQUE_VIOLATION: lambda _: KEYS,
    sqlstates.INVALID_TABLE_DEFINITION: _of_table,
    sqlstates.UNDEFINED_FILE: lambda found: _of_missing_extension(found) if extensions.creates(found.statement) else "",
    sqlstates.LOCK_NOT_AVAILABLE: lambda _: "wait for the session that holds the lock, or end it",
    sqlstates.QUERY_CANCELED: _of_cancellation,
    sqlstates.FEATURE_NOT_SUPPORTED: _of_unsupported,
    sqlstates.OUT_OF_MEMORY: _of_memory,
    sqlstates.DEPENDENT_OBJECTS_STILL_EXIST: lambda _: "drop or change these objects before that line",
}
