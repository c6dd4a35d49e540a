"""Join two heads with a revision that does nothing.

make merge
make merge m="merge posts and pages"
"""

import sys
from collections.abc import Sequence

from scripts.core import command, console, history, migrations


def main(argv: Sequence[str] | None = None) -> int:
    parser = command.parser(__doc__, "merge")
    parser.add_argument("--message", default="", metavar="TEXT", help="default: merge and the heads")
    message = parser.parse_args(argv).message.strip()

    heads = history.load().get_heads()
    if len(heads) < 2:
        console.done(f"Nothing to do: there is {'one head, ' + heads[0] if heads else 'no revision'}.")
        return 0
    path = migrations.merge(list(heads), message or f"merge {' and '.join(heads)}")
    console.done(f"Wrote {history.shown(path)}, which joins {' and '.join(heads)}.")
    console.say("  Commit it, then: make migrate")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
