"""A statement that writes a whole table, as a loop over ranges of its primary key with a commit each."""

import re

from scripts.core.plan import advice
from scripts.core.plan.row_writes import NAME, bare
from scripts.core.postgres import statements
from scripts.core.postgres.sql import typed
from scripts.core.schema.catalog_snapshot import Column, Relation, Snapshot

_HEAD = re.compile(
    rf"(?:UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?(?P<table>(?:{NAME}\s*\.\s*)?{NAME})"
    rf"(?:\s+(?:AS\s+)?(?!(?:SET|WHERE|USING|RETURNING)\b)(?P<alias>{NAME}))?(?=\s|$)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[eE]?'(?:[^'\\]|\\.|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|\w+|.", re.DOTALL)


def of(seen: Snapshot, relation: Relation, sql: str) -> str:
    """Return code that does the same, or nothing for other statements and for tables without a key of one column."""
    key, plain = _key(seen, relation), statements.without_comments(sql).strip().rstrip("; \n")
    head, words = _HEAD.match(plain), _top_level(plain)
    if not key or not head or bare(head["table"]) != relation.bare or "RETURNING" in words:
        return ""
    column, kind = f"{head['alias'] or head['table']}.{typed(key.name)}", key.type
    where = words.get("WHERE")
    condition = f"({plain[where + 5 :].strip()}) AND " if where else ""
    batch = f"{column} BETWEEN CAST(:first AS {kind}) AND CAST(:last AS {kind})"
    name = typed(key.name)
    key_of = f"SELECT CAST(k.{name} AS text) FROM"
    rows = f"SELECT {name} FROM {relation.name} WHERE {name} >= CAST(:first AS {kind}) ORDER BY {name} LIMIT 10000"
    last = f"{key_of} ({rows}) AS k ORDER BY k.{name} DESC LIMIT 1"
    start, order = f"{key_of} {relation.name} AS k", f" ORDER BY k.{name} LIMIT 1"
    following = f"{start} WHERE k.{name} > CAST(:last AS {kind}){order}"
    return advice.autocommit(
        "connection = op.get_bind()",
        f"first = connection.scalar(sa.text({advice.quoted(start + order)}))",
        "while first is not None:",
        f'    last = connection.scalar(sa.text({advice.quoted(last)}), {{"first": first}})',
        f"    rows = sa.text({_with_parameters(f'{plain[:where].strip()} WHERE {condition}', batch)})",
        '    connection.execute(rows, {"first": first, "last": last})',
        f'    first = connection.scalar(sa.text({advice.quoted(following)}), {{"last": last}})',
    )


def _with_parameters(sql: str, batch: str) -> str:
    return advice.literal(sql).removesuffix('"') + advice.quoted(batch).removeprefix('"')


def _top_level(sql: str) -> dict[str, int]:
    """Return the last place of each word outside brackets and literals, in capitals."""
    depth, found = 0, {}
    for token in _TOKEN.finditer(sql):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0 and token[0].isalpha():
            found[token[0].upper()] = token.start()
    return found


def _key(seen: Snapshot, relation: Relation) -> Column | None:
    """Return the column of the table's primary key, if it is one column."""
    for constraint in seen.constraints.values():
        if constraint.relation == relation.number and constraint.type == "p" and len(constraint.columns) == 1:
            return seen.columns[relation.number, constraint.columns[0]]
    return None
