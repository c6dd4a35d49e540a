"""Data kept: what the migration did not write is what it was, and what it wrote is told with numbers."""

from sqlalchemy import Connection

from scripts.core import postgres, rows
from scripts.core.reports.words import counted
from scripts.core.rows import Table
from scripts.core.verification.case import FAILED, PASSED, WARNED, Case, Kept, Outcome

ID, NAME, NEEDS = "data", "data kept", ("migrated",)
LOST = ("gone", "converted")


def check(case: Case) -> Outcome:
    """Compares counts and hashes of every table, by number: a renamed one is the same one."""
    assert case.pristine
    assert case.migrated
    with postgres.connect(case.pristine) as before, postgres.connect(case.migrated) as after:
        rows.pin(before)
        rows.pin(after)
        now = rows.read(after)
        case.kept = [_compare(case, table, now.get(number), before, after) for number, table in case.rows.items()]
    case.kept += [Kept(table.name, None, table.rows, "new") for number, table in now.items() if number not in case.rows]
    return _outcome(case.kept)


def _outcome(kept: list[Kept]) -> Outcome:
    told = [f"{one.table}: {one.note}" for one in kept if one.note]
    changed = [one.table for one in kept if one.verdict == "changed"]
    if changed:
        return Outcome(f"other rows than before in {', '.join(changed)}, which no statement wrote", told, FAILED)
    same = sum(1 for one in kept if one.verdict == "kept")
    summary = f"{same} of {sum(1 for one in kept if one.before is not None)} tables have the same rows and contents"
    written = [one.table for one in kept if one.verdict == "written"]
    if written:
        summary += f"; written: {', '.join(written)}"
    lost = any(one.verdict in LOST or "went with it" in one.note for one in kept)
    return Outcome(summary, told, WARNED if lost else PASSED)


def _compare(case: Case, was: Table, now: Table | None, before: Connection, after: Connection) -> Kept:
    if now is None:
        return Kept(was.name, was.rows, None, "gone", f"{counted(was.rows, 'row')} went with the table")
    dropped = _dropped(was, now, before)
    written = _rows_written(case, was.name, now.name)
    common = [number for number in was.columns if number in now.columns]
    same_columns = was.columns.keys() == now.columns.keys()
    if same_columns and (was.rows, was.hash) == (now.rows, now.hash) and _types(was) == _types(now):
        return Kept(now.name, was.rows, now.rows, "kept")
    changed = [number for number in common if not _is_same(was, now, number, before, after)]
    if was.rows == now.rows and not changed:
        new = f"{counted(written, 'row')} written, into new columns only" if written else ""
        return Kept(now.name, was.rows, now.rows, "kept", "; ".join(filter(None, (new, dropped))))
    names = ", ".join(now.columns[number].name for number in changed)
    if written:
        note = f"{counted(written, 'row')} written; other contents in {names or 'no column that was there'}"
        return Kept(now.name, was.rows, now.rows, "written", "; ".join(filter(None, (note, dropped))))
    retyped = all(was.columns[number].type_number != now.columns[number].type_number for number in changed)
    if was.rows == now.rows and retyped:
        return Kept(now.name, was.rows, now.rows, "converted", f"other values in {names}, which got another type")
    note = f"{was.rows:,} rows before, {now.rows:,} after; other contents in {names}"
    return Kept(now.name, was.rows, now.rows, "changed", note)


def _dropped(was: Table, now: Table, before: Connection) -> str:
    """What went with columns, where anything was in them."""
    gone = [column.name for number, column in was.columns.items() if number not in now.columns]
    counts = {column: rows.values(before, was.name, column) for column in gone}
    return "; ".join(
        f"column {column} is dropped, {counted(count, 'value')} went with it" for column, count in counts.items()
    )


def _is_same(was: Table, now: Table, number: int, before: Connection, after: Connection) -> bool:
    """Whether a column holds what it held: of another type, whether it prints the same."""
    old, new = was.columns[number], now.columns[number]
    cast = "" if old.type_number == new.type_number else "::text"
    return rows.hashed(before, was.name, [old.name + cast]) == rows.hashed(after, now.name, [new.name + cast])


def _types(table: Table) -> dict[int, int]:
    return {number: column.type_number for number, column in table.columns.items()}


def _rows_written(case: Case, *names: str) -> int:
    return sum(
        count for statement in case.trace.statements for name, count in statement.rows_written.items() if name in names
    )
