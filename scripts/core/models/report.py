"""What people read of a revision that was written from the models, and whether it is all that the models describe."""

import shlex
from collections.abc import Iterator

from scripts.core import revision_files
from scripts.core.models import accepted, not_written
from scripts.core.models.written import Written
from scripts.core.plan import render
from scripts.core.plan.render import StyledLine
from scripts.core.plan.table_sizes import NOTE
from scripts.core.typed_names import typed


def is_whole(written: Written) -> bool:
    """Return whether models and files match now, and the downgrade restores the schema."""
    return not written.comparison.lines and not written.not_undone


def lines(written: Written, message: str) -> Iterator[StyledLine]:
    left = written.comparison.lines
    yield _headline(written)
    if written.path is None and not left:
        yield f'  To write a revision by hand: make revision m="{message}" EMPTY=1', ""
        return
    yield from _differences(written)
    yield from _findings(written)
    yield from ((f"  {note}", "yellow") for note in written.notes)
    for name, value in written.fills.items():
        yield from ((f"  {line}", "") for line in _later(name, value))
    if left:
        by_hand = "Add this by hand" if written.path else f'Write it by hand: make revision m="{message}" EMPTY=1'
        yield f"  {by_hand}. To keep all differences as they are: make revision ACCEPT=differences", ""
    else:
        yield "  Review it. Then: make plan, make migrate, and commit it.", ""


def _headline(written: Written) -> StyledLine:
    left = written.comparison.lines
    if written.path is None:
        if left:
            return "✗ Models and revision files differ in what Alembic does not write:", "red"
        return f"✓ Models and migrations match{written.comparison.exceptions}: there is nothing to write.", "green"
    wrote = f"Wrote {revision_files.shown(written.path)}"
    if is_whole(written):
        return f"✓ {wrote}. It ran up, down and up on the scratch server.", "green"
    what = "the models describe more" if left else "its downgrade does not restore the schema"
    return f"✗ {wrote}, but {what}:", "red"


def _differences(written: Written) -> Iterator[StyledLine]:
    """Yield what is not written, and why it cannot be."""
    yield from ((f"  {line}", "") for line in written.comparison.lines)
    for one in written.comparison.differences:
        yield from ((f"      {line}", "dim") for line in not_written.advice(one))


def _later(name: str, value: str | None) -> list[str]:
    """Return which revision finishes a new column that is NOT NULL."""
    if value is None:
        return [
            f"{name} may be NULL in this revision, because the rows that are there have no value.",
            "Fill them, then: make revision makes it NOT NULL. Or remove this file, and:"
            f" FILL={shlex.quote(f'{typed(name)}=value')}",
        ]
    return [
        f"{name} keeps its default {value!r} for code that does not write it yet.",
        f"{accepted.FILE} lists it. Without that line, the next make revision drops the default.",
    ]


def _findings(written: Written) -> Iterator[StyledLine]:
    """Yield the findings with the safe way."""
    if written.planned is None:
        return
    for one in written.planned.findings:
        yield render.finding(written.planned, one)
        if not one.silenced and one.severity != NOTE:
            yield from ((f"      {line}", "dim") for line in one.instead.splitlines())
