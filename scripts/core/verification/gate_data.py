"""Data kept: rows that no statement wrote are unchanged. Written rows are listed with numbers."""

from sqlalchemy import Connection

from scripts.core.formatting import counted
from scripts.core.postgres import connections
from scripts.core.rows import content_hash
from scripts.core.rows.content_hash import Contents, Table
from scripts.core.verification import table_comparison
from scripts.core.verification.context import FAILED, PASSED, WARNED, Case, Outcome, TableVerdict, as_administrator

ID, NAME, NEEDS = "data", "data kept", ("migrated",)
DATA_LOSS = ("dropped", "converted")


def check(case: Case) -> Outcome:
    """Compare the row counts and hashes of every table, by number, so that a renamed table stays the same."""
    assert case.pristine
    assert case.migrated
    migrated = as_administrator(case, case.migrated)
    with connections.cancellable(case.pristine) as before, connections.cancellable(migrated) as after:
        content_hash.pin(before)
        content_hash.pin(after)
        now = content_hash.tables(after)
        case.comparisons = [_compare(case, was, now.get(number), before, after) for number, was in case.rows.items()]
        new = [table.name for number, table in now.items() if number not in case.rows]
        case.comparisons += [TableVerdict(name, None, content_hash.count(after, name), "new") for name in new]
    return _outcome(case.comparisons)


def _outcome(comparisons: list[TableVerdict]) -> Outcome:
    lines = [f"{one.table}: {one.note}" for one in comparisons if one.note]
    changed = [one.table for one in comparisons if one.verdict == "changed"]
    if changed:
        return Outcome(f"rows changed in {', '.join(changed)}, although no statement wrote them", lines, FAILED)
    same = sum(1 for one in comparisons if one.verdict == "unchanged")
    summary = f"{same} of {counted(sum(1 for one in comparisons if one.before is not None), 'table')} unchanged"
    written = [one.table for one in comparisons if one.verdict == "written"]
    if written:
        summary += f"; written: {', '.join(written)}"
    sampled = [one.table for one in comparisons if one.compared != one.before and one.compared is not None]
    if sampled:
        summary += f"; compared by ranges: {', '.join(sampled)}"
    is_loss = any(one.verdict in DATA_LOSS or "lost with it" in one.note for one in comparisons)
    return Outcome(summary, lines, WARNED if is_loss else PASSED)


def _compare(case: Case, was: Contents, now: Table | None, before: Connection, after: Connection) -> TableVerdict:
    if now is None:
        return TableVerdict(was.table.name, was.rows, None, "dropped", f"{counted(was.rows, 'row')} lost with it")
    there = {number: number for number in was.table.columns if number in now.columns}
    found = table_comparison.compare(was, now, there, before, after)
    verdict, note = _verdict(case, was, now, found)
    notes = [note, _dropped(was.table, now, before), table_comparison.extent(was, found)]
    return TableVerdict(now.name, was.rows, found.rows, verdict, "; ".join(filter(None, notes)), found.hashed)


def _verdict(case: Case, was: Contents, now: Table, found: table_comparison.Comparison) -> tuple[str, str]:
    """Return the verdict and a note."""
    written = _rows_written(case, was.table.name, now.name)
    if was.rows == found.rows and not found.changed:
        is_grown = not now.columns.keys() <= was.table.columns.keys()
        return "unchanged", f"{counted(written, 'row')} written, into new columns only" if written and is_grown else ""
    names = ", ".join(now.columns[number].name for number in found.changed)
    if written:
        return "written", f"{counted(written, 'row')} written; other contents in {names or 'no existing column'}"
    types = ((was.table.columns[number], now.columns[number]) for number in found.changed)
    if was.rows == found.rows and all(old.type_number != new.type_number for old, new in types):
        return "converted", f"other values in {names}, whose type changed"
    return "changed", f"{counted(was.rows, 'row')} before, {found.rows:,} after; other contents in {names}"


def _dropped(was: Table, now: Table, before: Connection) -> str:
    """Return the dropped columns that had values."""
    gone = [column.name for number, column in was.columns.items() if number not in now.columns]
    counts = {column: content_hash.count(before, was.name, column) for column in gone}
    return "; ".join(
        f"column {column} dropped, {counted(count, 'value')} lost with it" for column, count in counts.items() if count
    )


def _rows_written(case: Case, *names: str) -> int:
    return sum(
        count for statement in case.trace.statements for name, count in statement.rows_written.items() if name in names
    )
