"""What a terminal shows, drawn by rich: colours, questions, and the rows below all that is printed.

Only a terminal needs this module. Importing rich takes a sixth of the time that a command needs to start.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from scripts.core.cli.row import Row

BAR = 16
"""With its words and a gate's name it fits into 80 columns."""
_SPINNER, _PLAIN_SPINNER = Spinner("dots"), Spinner("line")


class _Console(Console):
    def show_cursor(self, show: bool = True) -> bool:
        """Leave the cursor visible, because a killed process could not show it again."""
        return False


class _Region:
    """The rows, and an empty line for the cursor: there a killed process leaves it."""

    def __init__(self, rows: Callable[[], Sequence[Row]]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = Group(*(_drawn(row, console, options) for row in self._rows()))
        for line in console.render_lines(rows, options, pad=False)[: options.size.height - 1]:
            yield from line
            yield Segment.line()
        yield Segment("")


def console(stream: TextIO) -> Console:
    """Return a console that prints text as it is: it is no markup, and the terminal itself wraps it."""
    return _Console(file=stream, markup=False, emoji=False, highlight=False, soft_wrap=True)


def live(rows: Callable[[], Sequence[Row]]) -> Live:
    """Return a display of the rows on standard error, below what is printed there and on a terminal's standard output.

    What the user's code prints past us goes above the rows too.
    """
    return Live(
        _Region(rows),
        console=console(sys.stderr),
        auto_refresh=False,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )


def show(where: Console, text: str, style: str) -> None:
    where.print(Text(text, style))


def ask(where: Console, question: str) -> str:
    """Return the line that the user types, or nothing at the end of the input."""
    where.print(Text(f"{question} "), end="")
    line = ""
    try:
        line = sys.stdin.readline()
    finally:
        if not line:  # the cursor is still behind the question
            where.file.write("\n")
    return line.strip()


def _drawn(row: Row, console: Console, options: ConsoleOptions) -> RenderableType:
    """Return a row as one line, which is cut where the terminal ends."""
    spinner = _PLAIN_SPINNER if options.ascii_only else _SPINNER
    start = (spinner.render(console.get_time()), " ") if row.is_running else ()
    text = _cut(Text.assemble(*start, row.text, style=row.style))
    if not row.progress:
        return text
    done, total, what = row.progress
    line = Table.grid(padding=(0, 1, 0, 0))
    cells = ProgressBar(total, done, BAR), _cut(Text(f"{done / total:.0%} of {total:,} {what}"))
    line.add_row(*([text] if text else []), *cells)
    return line


def _cut(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "crop"
    return text
