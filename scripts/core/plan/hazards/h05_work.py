"""Work while another table is locked

A lock is held until its transaction commits. If the same revision does more work after it (a scan, an index, a
backfill, a sleep), the application waits for the locked table all that time. A short lock without later work is no
hazard.
"""

from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject, blocks, whom
from scripts.core.plan.table_sizes import SEVERITIES, WARN
from scripts.core.plan.trace import Statement

ID, NAME = "H05", "work while another table is locked"
LONG = 1.0
"""Seconds. A statement that takes so long without any rows takes too long under a lock."""


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        work = worked_on(subject, statement)
        for name, mode in sorted(_held(subject, statement).items()):
            severities = [severity for table, severity in work.items() if table != name]
            severities += [WARN] * (statement.seconds >= LONG)
            if severities:
                tables = ", ".join(f"{table}{subject.weights.words(table)}" for table in sorted(work)) or "no table"
                message = (
                    f"{whom(mode).capitalize()} of {name}, which is locked already, wait for this statement."
                    f" It works on {tables}."
                )
                instead = f"Put this statement into a revision of its own, so that {name} is not locked meanwhile."
                severity = min(severities, key=SEVERITIES.index)
                yield Finding(ID, NAME, severity, name, blocks(mode), statement.line, message, instead)


def _held(subject: Subject, statement: Statement) -> dict[str, str]:
    """Return the tables that earlier statements have locked. A partitioned table stands for its partitions."""
    held = {name: mode for name, mode in subject.holding(statement).items() if subject.weights.severity(name)}
    relations = [relation for name in held if (relation := subject.found(name))]
    whole = any(relation.kind == "p" for relation in relations)
    return {relation.name: held[relation.name] for relation in relations if not (whole and relation.partition)}


def worked_on(subject: Subject, statement: Statement) -> dict[str, str]:
    """Return existing tables that the statement reads completely or writes, each with its severity."""
    tables = {*statement.scans, *statement.rewrites, *statement.rows_written}
    weighed = {name: subject.weights.severity(name) for name in tables if subject.found(name)}
    return {name: severity for name, severity in weighed.items() if severity}
