"""Downgrade does not restore the schema

The plan runs the downgrade right after the upgrade. If it fails, or leaves another schema than before the upgrade,
`make rollback` cannot undo this revision. `raise NotImplementedError("why")` declares a revision irreversible. Only its
owner can drop an extension. PostgreSQL cannot remove a value of an enum, so a value that stays is only a note.
"""

from collections.abc import Iterator

from scripts.core.plan import advice
from scripts.core.plan.findings import Finding, Subject
from scripts.core.plan.table_sizes import NOTE, WARN
from scripts.core.schema.catalog_snapshot import Index, Snapshot
from scripts.core.schema.compare import Difference

ID, NAME = "H12", "downgrade does not restore the schema"
UNDO = 'Undo all of upgrade() in downgrade(), or declare it irreversible: raise NotImplementedError("why").'


def find(subject: Subject) -> Iterator[Finding]:
    undone = subject.undone
    if undone.failure:
        is_meant = undone.is_of_another_owner or "NotImplementedError" in undone.failure
        yield _finding(subject, NOTE if is_meant else WARN, f"The downgrade fails: {undone.failure}.")
        return
    taken = _taken_over(subject)
    differences = [one for one in undone.differences if not _is_validated(one) and one.name not in taken]
    types = [one for one in differences if one.name.startswith("enum ") and one.expected is None]
    values = [one for one in differences if _has_more_values(one)]
    for one in values:
        left = "The downgrade leaves a value of an enum behind, which PostgreSQL cannot remove"
        yield _finding(subject, NOTE, f"{left}: {one}.")
    for one in types:
        name = one.name.removeprefix("enum ")
        message = f"The downgrade leaves the type {name} behind, so the next upgrade fails where it creates the type."
        drop = advice.execute(f"DROP TYPE {name}")
        yield _finding(subject, WARN, message, f"Drop it at the end of downgrade():\n{drop}")
    if rest := [one for one in differences if one not in types and one not in values]:
        first, *others = rest
        more = f" (and {len(others)} more)" if others else ""
        yield _finding(
            subject, WARN, f"The downgrade does not restore the schema from before the upgrade: {first}{more}."
        )


def _finding(subject: Subject, severity: str, message: str, instead: str = UNDO) -> Finding:
    return Finding(ID, NAME, severity, "", "none", subject.downgrade_line, message, instead)


def _is_validated(one: Difference) -> bool:
    """Return whether only a constraint is VALID that was NOT VALID."""
    return one.expected is not None and one.expected.replace(" NOT VALID", "", 1) == one.found


def _has_more_values(one: Difference) -> bool:
    if not one.name.startswith("enum ") or one.expected is None or one.found is None:
        return False
    return set(one.expected.split(", ")) < set(one.found.split(", "))


def _taken_over(subject: Subject) -> set[str]:
    """Return indexes that became those of a new constraint, as differences name them."""
    old, new = _keys(subject.before), _keys(subject.after)
    return {
        _shown(subject, was)
        for number, was in subject.before.indexes.items()
        if (now := subject.after.indexes.get(number))
        if (now.relation, advice.bare(now.name)) in new and (was.relation, advice.bare(was.name)) not in old
    }


def _keys(seen: Snapshot) -> set[tuple[int, str]]:
    return {(one.relation, one.name) for one in seen.constraints.values() if one.type in ("p", "u")}


def _shown(subject: Subject, index: Index) -> str:
    table = subject.before.relations[index.relation]
    kind = "materialized view" if table.kind == "m" else "table"
    return f"{kind} {table.name}, index {index.name.rpartition('.')[2]}"
