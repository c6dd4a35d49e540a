"""Which parts of a message may be shown. Contents of rows stay in the database.

A server's messages may be in any language, so their words are not interpreted. PostgreSQL's error code and the fields
of the error show the kind of message. Text from the revision's own file is known to its reader, so it is shown.
"""

import re
from collections.abc import Iterable
from typing import Any

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from scripts.core import sqlstates

HIDDEN = "…"
MOST = 2_000
"""Characters of a statement that are shown."""
MOST_LINES = 10
"""Lines of a detail that are shown."""
ANYTHING = (
    sqlstates.CLASS_PL_PGSQL_ERROR,
    sqlstates.CLASS_INTERNAL_ERROR,
    sqlstates.CLASS_CONFIGURATION_FILE_ERROR,
    sqlstates.CLASS_FOREIGN_DATA_WRAPPER_ERROR,
)
"""Classes of errors whose message may contain any text: RAISE in a trigger, an extension, another server."""
OF_NAMES = ("sqlalchemy.", "alembic.")
"""Packages whose own errors contain only names. A subclass in a revision may contain anything."""
RAISED_IN = ("pl_exec.c", "plpy_plpymodule.c", "plpy_elog.c", "plperl.c", "pltcl.c", "dblink.c", "connection.c")
"""Source files of PostgreSQL that report what a function, or another server, said."""
NAMES = ("schema_name", "table_name", "column_name", "datatype_name", "constraint_name")

_WORD = re.compile(r"(\w+)")
# The quotes of PostgreSQL's translations.
_QUOTE = re.compile('["«»„“”‟「」『』]')
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_NAME = re.compile(r'"((?:[^"]|"")*)"')
# From the first value of a key to the last: a value may contain brackets.
_VALUES = re.compile(r"\)=\(.*\)", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w$%.])\d[\w.]*")
_CODE = re.compile(r"""%\(\w+\)s|'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\W\d]\w*""")
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "all and as asc between by case cast conflict cross delete desc distinct do else end exists false for from"
        " full group having in inner insert into is join lateral left like limit lock not nothing null offset on or"
        " order outer returning right select set table then true union update using values when where with",
    )
)
# Classes of errors, in SQLAlchemy and the driver, whose messages contain only names.
_OF_NAMES = re.compile(r"(\w+\.)*(ProgrammingError|IntegrityError|OperationalError)")
_OF_POSTGRESQL = re.compile(r"\(psycopg2?\.errors\.\w+\) ")
# Statements that contain names, and no values.
_DEFINES = re.compile(r"\s*(CREATE|ALTER|DROP|COMMENT|GRANT|REVOKE)\b", re.IGNORECASE)


NAME_ERRORS = (AttributeError, NameError, ImportError, TypeError, SyntaxError)
"""Python's errors about names and types. Their texts contain no values. Most errors are such typos."""
OF_OBJECTS = (
    sqlstates.UNDEFINED_TABLE,
    sqlstates.UNDEFINED_COLUMN,
    sqlstates.UNDEFINED_OBJECT,
    sqlstates.UNDEFINED_FUNCTION,
    sqlstates.DUPLICATE_TABLE,
    sqlstates.DUPLICATE_COLUMN,
    sqlstates.DUPLICATE_OBJECT,
    sqlstates.DUPLICATE_SCHEMA,
)
"""Undefined and duplicate objects. Other codes of their class quote values too; see "PostgreSQL Error Codes"."""


def message(error: BaseException, source: str = "") -> str:
    """Return PostgreSQL's message of an error, without values.

    `source` is the text of the revision that ran. Without one, the statement is ours and contains no values.
    """
    orig: Any = error.orig if isinstance(error, DBAPIError) else error
    code = sqlstates.of(error)
    if not code:
        # It does not come from a server that executed a statement: it is the message of libpq or the driver.
        return str(orig).strip().partition("\n")[0]
    said = str(orig.diag.message_primary or "")
    names = [name for field in NAMES if (name := getattr(orig.diag, field, None))]
    known = words(source, *names)
    if code == sqlstates.rows_on_another_server or (not source and code in OF_OBJECTS):
        return said.partition("\n")[0]
    raised = getattr(orig.diag, "source_file", None) in RAISED_IN
    if code.startswith(ANYTHING) or (raised and not code.startswith(sqlstates.CLASS_DATA_EXCEPTION)):
        condition = " ".join(re.findall("[A-Z][a-z]*", type(orig).__name__)).lower()
        return text(said, known) or f"{condition or 'error'} ({code})"
    if code.startswith(sqlstates.CLASS_DATA_EXCEPTION):
        return _NUMBER.sub(lambda found: _shown_if_known(found[0], known), _without_quoted(said, known))
    executed = begin(str(getattr(error, "statement", None) or ""))
    known |= words(statement(executed, source or executed, code))
    return _without_quoted(said, known).partition("\n")[0]


def details(error: BaseException, source: str) -> list[str]:
    """Return PostgreSQL's DETAIL and HINT of an error, without values. `source` is the text of the running revision."""
    found: Any = getattr(getattr(error, "orig", error), "diag", None)
    if not sqlstates.of(error):
        return []
    said = (found.message_detail, found.message_hint)
    return [shown for one in said if one and (shown := _detail(one, sqlstates.of(error), found.source_file, source))]


def _detail(said: str, code: str, source_file: str, source: str) -> str:
    """Return a detail. Most of them contain only names."""
    if code.startswith((*ANYTHING, sqlstates.CLASS_DATA_EXCEPTION)) or source_file in RAISED_IN:
        said = text(said, words(source))
    elif code.startswith(sqlstates.CLASS_INTEGRITY_CONSTRAINT_VIOLATION):
        # Other details of this class are a whole row.
        said = _VALUES.sub(f")=({HIDDEN})", said) if _VALUES.search(said) else ""
    lines = said.splitlines()
    return "\n".join([*lines[:MOST_LINES], *([HIDDEN] if len(lines) > MOST_LINES else [])])


def exception(error: BaseException, source: str) -> str:
    """Return the class of an error that a revision raised, and those parts of its text that the revision's file has."""
    if isinstance(error, StatementError) and error.orig is not None:
        error = error.orig  # The wrapper's text has the statement and its values.
    if isinstance(error, SQLAlchemyError | CommandError) and type(error).__module__.startswith(OF_NAMES):
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    kind = type(error).__name__
    if isinstance(error, NAME_ERRORS):
        return f"{kind}: {error}".partition("\n")[0]
    said = text(str(error), words(source))
    return f"{kind}: {said}" if said or not str(error) else f"{kind} (its text may hold contents of rows: not shown)"


def statement(sql: str, source: str, code: str = "") -> str:
    """Return a statement without texts, numbers and names that are not in the revision's file."""
    known = words(source)
    if code == sqlstates.SYNTAX_ERROR:
        return text(sql, known)  # The end of a text in it is unknown.
    sql = _TEXT.sub(lambda found: found[0] if found[1].replace("''", "'") in source else f"'{HIDDEN}'", sql)
    if not _DEFINES.match(sql):
        sql = _NAME.sub(lambda found: found[0] if found[1] in source else f'"{HIDDEN}"', sql)
        sql = _CODE.sub(
            lambda found: found[0] if found[0][0] in "%'\"" else _shown_if_known(found[0], known | _KEYWORDS), sql
        )
    return _NUMBER.sub(lambda found: _shown_if_known(found[0], known), sql)


def begin(sql: str) -> str:
    """Return the begin of a long statement, up to a text that would be cut."""
    if len(sql) <= MOST:
        return sql
    short = sql[:MOST].rpartition(" ")[0]
    while cut := [quote for quote in "'\"" if short.count(quote) % 2]:
        short = short[: short.rindex(cut[0])]
    return f"{short} {HIDDEN}"


def text(said: str, known: Iterable[str]) -> str:
    """Return a text with only its known words; nothing if most of its words are unknown."""
    known = set(known)
    parts, shown, count = _WORD.split(said), 0, 0
    result, hidden = parts[0], False
    for word, after in zip(parts[1::2], parts[2::2], strict=True):
        count += 1
        if word.lower() in known:
            result, hidden, shown = result + word + after, False, shown + 1
        elif hidden:
            result = result[: result.rindex(HIDDEN) + 1] + after
        else:
            result, hidden = result + HIDDEN + after, True
    return result if shown * 2 >= count else ""


def words(*texts: str) -> set[str]:
    """Return the words of the texts, in lower case."""
    return {word.lower() for one in texts for word in re.findall(r"\w+", one)}


def last_line(traceback: str, source: str) -> str:
    """Return how a Python program ended, from the last line of its traceback. `source` is the program's text."""
    kind, _, said = traceback.partition(": ")
    names = _OF_NAMES.fullmatch(kind) and _OF_POSTGRESQL.match(said)
    shown = _without_quoted(said, words(source)) if names else text(said, words(source))
    return f"{kind}: {shown or HIDDEN}"


def copied(said: str) -> str:
    """Return the message of a PostgreSQL program that copied rows, without its quotes of them."""
    return _without_quoted(said, set())


def _without_quoted(said: str, known: set[str]) -> str:
    """Remove everything from the first unknown quoted text to the last quote, because a value may contain quotes."""
    begin = 0
    while opening := _QUOTE.search(said, begin):
        closing = _QUOTE.search(said, opening.end())
        quoted = said[opening.end() : closing.start()] if closing else ""
        if not closing or not words(quoted) or not words(quoted) <= known:
            end = max((found.start() for found in _QUOTE.finditer(said, opening.end())), default=len(said))
            return said[: opening.end()] + HIDDEN + said[end:]
        begin = closing.end()
    return said


def _shown_if_known(word: str, known: set[str]) -> str:
    return word if words(word) <= known else HIDDEN
