"""Work while another table is locked

A lock is held until its transaction commits. If the same revision does more work after it (a scan, an index, a
backfill, a sleep), the application waits for the locked table all that time. A short lock without later work is no
hazard.
"""

from collections.abc import Iterator

from scripts.core.formatting import counted
from scripts.core.plan.findings import Finding, Subject, blocks, whom
from scripts.core.plan.table_sizes import SEVERITIES, WARN
from scripts.core.plan.trace import Statement

ID, NAME = "H05", "work while another table is locked"
SHOWN = 3
"""Names of locked tables that are shown of many."""
LONG = 1.0
"""Seconds. A statement that takes so long without any rows takes too long under a lock."""


def find(subject: Subject) -> Iterator[Finding]:
    for statement in subject.statements:
        work, waiting = worked_on(subject, statement), dict[tuple[str, str, str], list[str]]()
        for name, mode in sorted(_held(subject, statement).items()):
            severities = [severity for table, severity in work.items() if table != name]
            severities += [WARN] * (statement.seconds >= LONG)
            if severities:
                alike = min(severities, key=SEVERITIES.index), whom(mode), blocks(mode)
                waiting.setdefault(alike, []).append(name)
        tables = ", ".join(f"{table}{subject.weights.words(table)}" for table in sorted(work)) or "no table"
        for (severity, who, blocked), names in waiting.items():
            message = f"{who.capitalize()} of {_locked(names)}, wait for this statement. It works on {tables}."
            meanwhile = f"{names[0]} is" if len(names) == 1 else "they are"
            instead = f"Put this statement into a revision of its own, so that {meanwhile} not locked meanwhile."
            yield Finding(ID, NAME, severity, names[0], blocked, statement.line, message, instead)


def _locked(names: list[str]) -> str:
    """Return the names, the first ones of many, as what is locked already."""
    if len(names) == 1:
        return f"{names[0]}, which is locked already"
    others = f" and {counted(len(names) - SHOWN, 'other table')}" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{others}, which are locked already"


def _held(subject: Subject, statement: Statement) -> dict[str, str]:
    """Return the tables that earlier statements have locked. A partitioned table stands for its partitions."""
    held = {name: mode for name, mode in subject.holding(statement).items() if subject.weights.severity(name)}
    relations = [relation for name in held if (relation := subject.found(name)) and relation.kind != "S"]
    whole = any(relation.kind == "p" for relation in relations)
    return {relation.name: held[relation.name] for relation in relations if not (whole and relation.partition)}


def worked_on(subject: Subject, statement: Statement) -> dict[str, str]:
    """Return existing tables that the statement reads completely or writes, each with its severity."""
    tables = {*statement.scans, *statement.rewrites, *statement.rows_written}
    found = {name for name in tables if (relation := subject.found(name)) and relation.kind != "S"}
    weighed = {name: subject.weights.severity(name) for name in found}
    return {name: severity for name, severity in weighed.items() if severity}
