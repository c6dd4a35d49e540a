"""Running the statements of a dump in a new database, one by one, as the role that migrates.

No psql is used, so no command to psql can run, and the server's error codes show which errors do no harm.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

from scripts.core import messages, overrides, redaction, sqlstates
from scripts.core.backups import dump_contents, dump_file
from scripts.core.backups.dump_contents import COPY, NAME, DumpContents
from scripts.core.backups.dump_file import Dump
from scripts.core.backups.restore_into import ONLY_A_TRY
from scripts.core.backups.sql_script import Script, ScriptStatement
from scripts.core.errors import UserError
from scripts.core.postgres import connections, driver, extensions
from scripts.core.postgres.driver import Session
from scripts.core.settings import Settings

_MB = 1_000_000
_OPTIONS = "-c synchronous_commit=off -c default_transaction_read_only=off"
_MISSING = (
    sqlstates.UNDEFINED_TABLE,
    sqlstates.UNDEFINED_OBJECT,
    sqlstates.UNDEFINED_FUNCTION,
    sqlstates.UNDEFINED_COLUMN,
    sqlstates.INVALID_SCHEMA_NAME,
)
_LACKING = (sqlstates.INSUFFICIENT_PRIVILEGE, sqlstates.UNDEFINED_OBJECT)
_HARMLESS = {
    # Of pg_dump --clean, which drops what a new database does not have.
    re.compile(
        rb"(?:DROP|ALTER\s+(?:TABLE|DOMAIN)\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?" + NAME + rb"(?:\s*\.\s*" + NAME + rb")?"
        rb"\s+(?:ALTER\s+(?:COLUMN\s+)?" + NAME + rb"\s+)?DROP)\b",
        re.IGNORECASE,
    ): _MISSING,
    re.compile(rb"CREATE\s+SCHEMA\b", re.IGNORECASE): (sqlstates.DUPLICATE_SCHEMA,),
    # They belong to the server's superuser, and have their comments.
    re.compile(rb"COMMENT\s+ON\s+(EXTENSION|SCHEMA)\b", re.IGNORECASE): _LACKING,
}
"""Errors that change nothing in a new database, by the begin of the statement."""
_SUPERUSERS = re.compile(
    rb"(?P<what>(?:CREATE|ALTER|DROP)\s+(?:PUBLICATION|EVENT\s+TRIGGER)\s+" + NAME + rb")"
    rb"|COMMENT\s+ON\s+(?:PUBLICATION|EVENT\s+TRIGGER)\b",
    re.IGNORECASE,
)
"""Objects that may need a superuser. The tables and their rows do not need them."""
_SET = re.compile(rb"SET\s+(?:(?:SESSION|LOCAL)\s+)?([\w.]+)", re.IGNORECASE)
_SETTING = re.compile(rb"SET\b|RESET\b|SELECT\s+(pg_catalog\.)?set_config\(", re.IGNORECASE)
_DEFINES = re.compile(rb"(CREATE|ALTER|DROP|COMMENT|SET|REFRESH)\b", re.IGNORECASE)
"""These statements have names and no contents of rows, so their words may be shown."""
_ROW = re.compile(r"\d+")


@dataclass
class Loader:
    """A dump that is being loaded, and its sessions."""

    dump: Dump
    script: Script
    owner: Session
    superuser: Session | None
    """With ACCEPT=superuser, for the statements that the owner may not run."""
    size: int
    """Bytes of the whole script."""
    rows: Counter[str] = field(default_factory=Counter)
    """The rows of each table that COPY has loaded."""
    shown: int = 0
    """Megabytes of the progress that was shown last."""
    settings: list[bytes] = field(default_factory=list)
    """What the superuser's session has to run before its next statement."""


def run(dump: Dump, contents: DumpContents, owner: Settings, acting: Settings) -> Counter[str]:
    """Run the dump in an empty database. Return the rows of each table that it copied.

    `acting` has the superuser's login if there is one. Raise UserError at the first error.
    """
    is_other = acting.database_url.username != owner.database_url.username
    with ExitStack() as stack:
        session = stack.enter_context(_session(owner))
        superuser = stack.enter_context(_session(acting)) if is_other else None
        with dump_file.opened(dump) as file:
            loader = Loader(dump, Script(file), session, superuser, contents.size)
            for statement in loader.script.statements():
                _load(loader, statement)
                _show(loader)
        if not driver.is_idle(session):
            raise UserError(
                f"{dump.name} begins a transaction and does not end it.",
                do="take the dump again",
                state=ONLY_A_TRY,
            )
        return loader.rows


@contextmanager
def _session(settings: Settings) -> Iterator[Session]:
    arguments = {"application_name": "alembic-restore", "options": _OPTIONS, "isolation_level": "AUTOCOMMIT"}
    with connections.cancellable(settings, **arguments) as connection:
        yield driver.session(connection)


def _load(loader: Loader, statement: ScriptStatement) -> None:
    if dump_contents.left_out(statement.text):
        return
    if reason := dump_contents.refusal(statement.text):
        raise UserError(f"{loader.dump.name} has changed: {reason}.", do="run this again", state=ONLY_A_TRY)
    try:
        if copy := COPY.match(statement.text):
            _copy(loader, statement, copy["table"].decode(errors="replace"))
        else:
            driver.send(loader.owner, statement.text)
    except DBAPIError as error:
        if not _is_harmless(loader, statement.text, error):
            _run_as_superuser(loader, statement, error)
    if loader.superuser and _SETTING.match(statement.text):
        loader.settings.append(statement.text)


def _copy(loader: Loader, statement: ScriptStatement, table: str) -> None:
    first = loader.script.line
    try:
        loader.rows[table] += driver.copy_in(loader.owner, statement.text, _watched(loader))
    except DBAPIError as error:
        context = str(error.orig.diag.context or "") if error.orig else ""  # type: ignore[attr-defined]
        row = _ROW.search(context.partition(", ")[2])
        where = f"line {first + int(row[0])}, a row of {table}" if row else f"line {first}, the rows of {table}"
        raise _error(loader, where, redaction.message(error), error) from error


def _watched(loader: Loader) -> Iterator[bytes]:
    for piece in loader.script.rows():
        _show(loader)
        yield piece


def _show(loader: Loader) -> None:
    if loader.script.read // _MB > loader.shown:
        loader.shown = loader.script.read // _MB
        messages.progress(loader.shown, loader.size // _MB, "MB")


def _is_harmless(loader: Loader, text: bytes, error: DBAPIError) -> bool:
    """Return whether the failed statement may be left out. Inside a transaction it would end the whole."""
    code = sqlstates.of(error)
    if driver.has_failed(loader.owner) or not code:
        return False
    if (setting := _SET.match(text)) and code == sqlstates.UNDEFINED_OBJECT:
        messages.send(f"The server does not know the setting {setting[1].decode()}. It was left out.")
        return True
    if overrides.accepted("extensions") and extensions.creates(text[:300].decode(errors="replace")):
        return code in (sqlstates.UNDEFINED_FILE, sqlstates.FEATURE_NOT_SUPPORTED)
    if not loader.superuser and code in _LACKING and (found := _SUPERUSERS.match(text)):
        if code == sqlstates.INSUFFICIENT_PRIVILEGE and found["what"]:
            messages.send(f"Left out, because it needs ACCEPT=superuser: {found['what'].decode(errors='replace')}")
        return True
    return any(begin.match(text) and code in codes for begin, codes in _HARMLESS.items())


def _run_as_superuser(loader: Loader, statement: ScriptStatement, error: DBAPIError) -> None:
    """Run a statement that the owner may not run, with the dump's settings. Raise UserError if that fails too."""
    if not loader.superuser or sqlstates.of(error) != sqlstates.INSUFFICIENT_PRIVILEGE:
        raise _failed(loader, statement, error) from error
    try:
        for setting in [*loader.settings, statement.text]:
            driver.send(loader.superuser, setting)
    except DBAPIError as other:
        raise _failed(loader, statement, other) from other
    loader.settings.clear()


def _failed(loader: Loader, statement: ScriptStatement, error: DBAPIError) -> UserError:
    source = statement.text.decode(errors="replace") if _DEFINES.match(statement.text) else ""
    return _error(loader, f"line {statement.line}", redaction.message(error, source), error)


def _error(loader: Loader, where: str, message: str, error: DBAPIError) -> UserError:
    lacks_rights = sqlstates.of(error) == sqlstates.INSUFFICIENT_PRIVILEGE and not loader.superuser
    of_archive = ", in the SQL that pg_restore --file=- makes of it" if loader.dump.kind == dump_file.ARCHIVE else ""
    return UserError(
        f"{loader.dump.name} cannot be loaded: {where}{of_archive}: {message}",
        why="The role that migrates is no superuser." if lacks_rights else "",
        do="load with the superuser's rights where they are needed: ACCEPT=superuser"
        if lacks_rights
        else "correct that in the file or on the server, or take the dump again; then run this again",
        state=ONLY_A_TRY,
    )
