"""Work while another table is locked

A lock is held until its transaction commits. Whatever comes after it in the same revision (a scan, an index, a
backfill, a sleep) is time in which everybody waits who needs the locked table. A short lock without work after it is no
hazard.
"""

from collections.abc import Iterator

from scripts.core.plan.findings import Finding, Subject, blocks, whom
from scripts.core.plan.table_sizes import SEVERITIES, WARN
from scripts.core.plan.trace import Statement

ID, NAME = "H05", "work while another table is locked"
LONG = 1.0
"""Seconds that a statement takes without any rows, which are too many under a lock."""


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        work = worked_on(subject, statement)
        for name, mode in sorted(_held(subject, statement).items()):
            severities = [severity for table, severity in work.items() if table != name]
            severities += [WARN] * (statement.seconds >= LONG)
            if severities:
                tables = ", ".join(f"{table}{subject.weights.words(table)}" for table in sorted(work)) or "no table"
                message = (
                    f"{whom(mode).capitalize()} of {name}, which an earlier statement has locked, wait for this one,"
                    f" which works on {tables}."
                )
                instead = f"Commit what locks {name} before: put this statement into a revision of its own."
                severity = min(severities, key=SEVERITIES.index)
                yield Finding(ID, NAME, severity, name, blocks(mode), statement.line, message, instead)


def _held(subject: Subject, statement: Statement) -> dict[str, str]:
    """Tables that earlier statements have locked; of a partitioned one the whole, not each part."""
    held = {name: mode for name, mode in subject.holding(statement).items() if subject.weights.severity(name)}
    relations = [relation for name in held if (relation := subject.found(name))]
    whole = any(relation.kind == "p" for relation in relations)
    return {relation.name: held[relation.name] for relation in relations if not (whole and relation.partition)}


def worked_on(subject: Subject, statement: Statement) -> dict[str, str]:
    """Tables that the revision found and the statement reads as a whole or writes, and what that comes to."""
    tables = {*statement.scans, *statement.rewrites, *statement.rows_written}
    weighed = {name: subject.weights.severity(name) for name in tables if subject.found(name)}
    return {name: severity for name, severity in weighed.items() if severity}
