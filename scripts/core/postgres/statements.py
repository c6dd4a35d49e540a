"""What a text of SQL does, as far as its keywords show. Comments, literals and quoted names do not count."""

import re
from collections.abc import Iterator
from functools import lru_cache

_SKIPPED = re.compile(
    r"--[^\n]*"
    r"|\b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)"
    r"|'(?:[^']|'')*(?:'|\Z)"
    r"|(?<![\w$])(?P<dollar>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=dollar)|\Z)",
    re.DOTALL,
)
_WORD = re.compile(r'"(?:[^"]|"")*(?:"|\Z)|[^\W\d][\w$]*|\S')
_BODY_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_COMMENT = re.compile(r"/\*|\*/")
_CONCURRENTLY = re.compile(
    r"CREATE (UNIQUE )?INDEX CONCURRENTLY\b|DROP INDEX CONCURRENTLY\b|REFRESH MATERIALIZED VIEW CONCURRENTLY\b"
    r"|REINDEX (\(.*?\) )?(INDEX|TABLE|SCHEMA|DATABASE|SYSTEM) CONCURRENTLY\b|REINDEX \([^)]*CONCURRENTLY"
    r"|ALTER TABLE .*DETACH PARTITION .*CONCURRENTLY$"
)
_ROLLBACK = re.compile(r"\bROLLBACK\b", re.IGNORECASE)
_VALIDATE = re.compile(r"ALTER TABLE [^,]* VALIDATE CONSTRAINT [^,]*$")
_TRANSACTION = re.compile(
    r"(COMMIT|END|ABORT|BEGIN|START TRANSACTION|PREPARE TRANSACTION)\b|ROLLBACK( (WORK|TRANSACTION))?( AND\b|$)"
)


@lru_cache(maxsize=2)
def split(sql: str) -> list[str]:
    """Return each statement as words and signs, in capitals, with one space between them. A quoted name is `""`."""
    found: list[list[str]] = [[]]
    for word in _words(sql):
        if word == ";":
            found.append([])
        else:
            found[-1].append('""' if word.startswith('"') else word.upper())
    return [" ".join(words) for words in found if words]


def plain(sql: str) -> str:
    """Return the text without comments and literals, but with names and what stands between dollar quotes."""
    return " ".join(_words(sql, inside=True))


def without_comments(sql: str) -> str:
    """Return the text with a space in place of each comment."""
    found, position = [], 0
    while position < len(sql):
        if sql.startswith("/*", position):
            position, piece = _after_comment(sql, position), " "
        elif skipped := _SKIPPED.match(sql, position) or _WORD.match(sql, position):
            position, piece = skipped.end(), " " if skipped[0].startswith("--") else skipped[0]
        else:
            position, piece = position + 1, sql[position]
        found.append(piece)
    return "".join(found)


def is_concurrent(sql: str) -> bool:
    """Return whether this is one CONCURRENTLY statement: it waits for others without blocking them."""
    return _is_one(sql, _CONCURRENTLY)


def may_take_long(sql: str) -> bool:
    """Return whether this is one statement that may read a whole table without blocking others."""
    return is_concurrent(sql) or _is_one(sql, _VALIDATE)


def controls_transaction(sql: str) -> bool:
    """Return whether one of the statements begins or ends a transaction. A savepoint does neither."""
    return any(_TRANSACTION.match(words) for words in split(sql))


def may_roll_back(sql: str) -> bool:
    """Return whether the text may contain a rollback to a savepoint."""
    return bool(_ROLLBACK.search(sql))


def _is_one(sql: str, kind: "re.Pattern[str]") -> bool:
    words = split(sql)
    return len(words) == 1 and bool(kind.match(words[0]))


def _words(sql: str, *, inside: bool = False) -> Iterator[str]:
    """Yield words and signs. `inside`: those of a function's body too, whose literals may be SQL."""
    position = 0
    while position < len(sql):
        if sql.startswith("/*", position):
            position = _after_comment(sql, position)
        elif skipped := _SKIPPED.match(sql, position):
            if inside and skipped["dollar"]:
                yield _BODY_COMMENT.sub(" ", skipped[0].strip("$"))
            position = skipped.end()
        elif word := _WORD.match(sql, position):
            yield word[0]
            position = word.end()
        else:
            position += 1


def _after_comment(sql: str, start: int) -> int:
    """Return where a comment ends. One may be inside another."""
    depth = 0
    for sign in _COMMENT.finditer(sql, start):
        depth += 1 if sign[0] == "/*" else -1
        if depth == 0:
            return sign.end()
    return len(sql)
