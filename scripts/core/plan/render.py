"""Plans and findings as lines of text, each with a style. Nothing is printed here."""

import re
from collections.abc import Iterator, Mapping, Sequence

from scripts.core import formatting
from scripts.core.errors import UserError
from scripts.core.plan.empty_copy import ROWS
from scripts.core.plan.findings import Finding
from scripts.core.plan.plan import Planned
from scripts.core.plan.table_sizes import BLOCK, NOTE, WARN
from scripts.core.plan.trace import Statement
from scripts.core.postgres.lock_modes import BLOCKS
from scripts.core.revisions import sql_lines

StyledLine = tuple[str, str]
"""A text and its style: "bold", "dim", "red", "yellow" or nothing."""

_STYLES = {BLOCK: "red", WARN: "yellow", NOTE: ""}


def revision(planned: Planned) -> Iterator[StyledLine]:
    """Yield a revision with every statement, and its findings with the safe way."""
    yield "", ""
    yield f"{planned.revision}  {planned.message}", "bold"
    yield f"  {planned.file}, {planned.author or 'not committed'}, {planned.seconds:.2f} s", ""
    for number, statement in enumerate(planned.statements):
        if number and statement.transaction != planned.statements[number - 1].transaction:
            yield "  -- commit", "dim"
        times = f"  ({statement.executions:,} times in this form)" if statement.executions > 1 else ""
        yield f"  {' '.join(statement.sql.split())}{times}", ""
        yield from ((f"      {effect}", "dim") for effect in effects(statement))
    yield from untried(planned)
    for one in planned.findings:
        yield finding(planned, one)
        if not one.silenced and one.severity != NOTE:
            yield from ((f"      {line}", "dim") for line in one.instead.splitlines())


def short(planned: Planned) -> Iterator[StyledLine]:
    """Yield a revision on one line, and a line for each finding that is more than a note."""
    number = sum(statement.executions for statement in planned.statements)
    parts = [f"{number} statement{'s' if number != 1 else ''}, {planned.seconds:.2f} s on a copy"]
    locks = [lock for statement in planned.statements for lock in statement.locks]
    parts += [f"blocks {whom} of {table}" for table, whom in blocked(locks).items()]
    yield f"  {planned.revision}  {planned.message}  ({'; '.join(parts)})", ""
    yield from untried(planned)
    yield from (finding(planned, one) for one in planned.findings if one.severity != NOTE)


def finding(planned: Planned, one: Finding) -> StyledLine:
    """Return a finding on one line."""
    place = f"{sql_lines.file(one.line, planned.file)}:{one.line}"
    if one.silenced:
        return f"  {one.id} silenced  {place}  {one.hazard}: {one.silenced}", "dim"
    return f"  {one.id} {one.severity}  {place}  {one.message}", _STYLES[one.severity]


def untried(planned: Planned) -> Iterator[StyledLine]:
    """Yield a line for each part of a revision that needs what the copy does not have."""
    for part in planned.untried:
        place = f"{sql_lines.file(part.line, planned.file)}:{part.line}"
        tested = " make verify-staging tests it." if part.needs == ROWS else ""
        yield f"  needs {part.needs}  {place}  {part.text}{tested}", "yellow"


def annotation(planned: Planned, one: Finding) -> str:
    """Return a finding as an annotation on GitHub; see "Workflow commands for GitHub Actions"."""
    kind = {BLOCK: "error", WARN: "warning", NOTE: "notice"}[one.severity]
    file = _property(sql_lines.file(one.line, planned.file))
    place = f"file={file},line={one.line},title={_property(f'{one.id} {one.hazard}')}"
    return f"::{kind} {place}::{_data(f'{one.message}{chr(10)}{one.instead}')}"


def failure(error: UserError) -> str:
    """Return an error as an annotation on GitHub, at the first line of a file that it names."""
    text = "\n".join(error.lines())
    named = re.search(r"([\w./-]+\.\w+), line (\d+)", text)
    place = f" file={_property(named[1])},line={named[2]}" if named else ""
    return f"::error{place}::{_data(text)}"


def effects(statement: Statement) -> list[str]:
    """Return what the statement does to existing tables, as texts."""
    return [
        *(f"blocks {whom} of {table} until the commit" for table, whom in blocked(statement.locks).items()),
        *(f"rewrites {name}" for name in statement.rewrites),
        *(f"reads all of {name}" for name in statement.scans),
        *(f"writes {formatting.counted(rows, 'row')} of {name}" for name, rows in statement.rows_written.items()),
    ]


def blocked(locks: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return what the strongest lock on each table blocks."""
    return {lock["relation"]: BLOCKS[mode] for mode in BLOCKS for lock in locks if lock["mode"] == mode}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
