"""Backfill in one transaction

An UPDATE of a whole table locks every row until the commit and leaves as many dead rows behind. A retry of the revision
starts it again. Together with a change of the schema, it also holds the locks of that change.
"""

import re
from collections.abc import Iterator

from scripts.core.plan import advice, row_writes
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import BLOCK, WARN
from scripts.core.plan.trace import Statement
from scripts.core.postgres.sql import typed

ID, NAME = "H06", "backfill in one transaction"


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        if not (written := row_writes.written(subject, statement)):
            continue
        for name in statement.scans:
            severity = subject.weights.severity(name)
            if not severity or not subject.found(name):
                continue
            locks = subject.locked(statement)
            message = (
                f"{written[0]} is written from all rows of {name} in one transaction"
                + (f", which also locks {', '.join(locks)}" if locks else "")
                + f"{subject.weights.words(name)}."
            )
            # Row locks block only other writers of those rows.
            capped = severity if locks or severity != BLOCK else WARN
            yield Finding(
                ID, NAME, capped, written[0], "writes", statement.line, message, _instead(subject, statement, name)
            )


def _instead(subject: Subject, statement: Statement, name: str) -> str:
    key = _key(subject, name)
    batch = f"{key} BETWEEN :first AND :first + 9999"
    sql = " ".join(statement.sql.split())
    if re.match(r"(UPDATE|DELETE)\b", sql, re.IGNORECASE) and "%" not in sql:
        sql = f"{sql} {'AND' if re.search(r'WHERE', sql, re.IGNORECASE) else 'WHERE'} {batch}"
    else:
        sql = f"… WHERE {batch}"
    return "In a revision of its own, in batches by key with a commit each:\n" + advice.autocommit(
        f"last = op.get_bind().scalar(sa.text({advice.quoted(f'SELECT max({key}) FROM {name}')})) or 0",
        "for first in range(0, last + 1, 10_000):",
        f'    op.get_bind().execute(sa.text({advice.quoted(sql)}), {{"first": first}})',
    )


def _key(subject: Subject, name: str) -> str:
    """Return the column of the table's primary key, if it is one column."""
    relation = subject.found(name)
    for constraint in subject.before.constraints.values():
        is_ours = relation is not None and constraint.relation == relation.number
        if is_ours and constraint.type == "p" and len(constraint.columns) == 1:
            return typed(subject.before.names(constraint.relation, constraint.columns)[0])
    return "id"
