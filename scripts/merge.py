"""Join two heads with a merge revision, which changes nothing.

make merge
make merge m="merge posts and pages"

The branches run in each order on the scratch server, and the merge runs up, down and up. Your database is not used. No
file is written if that fails.
"""

import sys
from collections.abc import Sequence

from scripts.core import revision_files, settings
from scripts.core.cli import console, entry_point
from scripts.core.models import merge
from scripts.core.revisions import history


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.merge")
    parser.add_argument("--message", default="", metavar="TEXT", help="default: merge and the heads")
    message = parser.parse_args(argv).message.strip()

    heads = history.load().get_heads()
    if len(heads) < 2:
        console.done(f"Nothing to do: there is {'one head, ' + heads[0] if heads else 'no revision'}.")
        return 0
    path = merge.write(settings.load(), heads, message or f"merge {' and '.join(heads)}")
    console.done(f"Wrote {revision_files.shown(path)}, which joins {' and '.join(heads)}. It ran up, down and up.")
    console.say("  Commit it, then: make migrate")
    return 0


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
