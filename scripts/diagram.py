"""Draw the schema and the revisions as Mermaid in Markdown, with pending changes.

make diagram > docs/schema.md
"""

import sys
from collections.abc import Sequence

from scripts.core import diagram, settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.postgres import connections
from scripts.core.revisions import history


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "scripts.diagram").parse_args(argv)

    target = settings.load()
    revisions = history.load()
    head = history.head(revisions)
    at = version(target, head)
    history.require_known(revisions, at)
    now, later = diagram.schemas(target, revisions, at, head, console.warn)
    pending = len(history.pending(revisions, at, head))
    console.say(f"# The schema\n\nAs the revision files make it at {head}; revisions pending: {pending}.\n")
    console.say(f"```mermaid\n{diagram.tables(now, later)}\n```\n")
    console.say("## The revisions\n\nA broken line around those that the database has not run.\n")
    done = history.applied(revisions, at)
    console.say(f"```mermaid\n{diagram.history(history.oldest_first(revisions), done)}\n```")
    return 0


def version(target: settings.Settings, head: str) -> list[str]:
    """Where the database is; at the head when it does not answer, because then nothing can be called pending."""
    try:
        with connections.connect(target) as connection:
            return list(history.current(connection))
    except UserError as error:
        console.warn(f"{error.problem} Nothing is marked as pending.")
        return [] if head == "base" else [head]


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
