"""Run any other Alembic command. `make current` uses it too.

    make alembic c="show head"
    make alembic c="upgrade head --sql"

An upgrade or downgrade is as safe here as with make migrate: the protection lives behind alembic/env.py.
"""

import shlex
import sys
from collections.abc import Sequence

from alembic.config import CommandLine

from scripts.core import messages, revision_files
from scripts.core.cli import console, entry_point
from scripts.core.errors import DONE, NO, USAGE, UserError


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.alembic")
    parser.add_argument("words", nargs="...", metavar="COMMAND", help="words, or one text that is split as by a shell")
    words = parser.parse_args(argv).words
    if len(words) == 1:
        words = split(words[0])
    if not words:
        raise UserError("No Alembic command was given.", do='make alembic c="heads"', code=USAGE)
    console.hand_over()
    try:
        with messages.sent_to(messages.log):
            CommandLine(prog="alembic").main(words)
    except SystemExit as ended:
        if where := revision_files.place(ended):
            raise UserError(f"{where}: {ended!r} would end the whole command.", do="correct that file") from ended
        return ended.code if ended.code in (DONE, USAGE) else NO
    return 0


def split(text: str) -> list[str]:
    """Return the words of a text as a shell splits them. Nothing is expanded or run."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UserError(f"c={text} is not a command: {error}.", do="close the quote", code=USAGE) from error


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
