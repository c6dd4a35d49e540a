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
    now, later = diagram.schemas(target, revisions, at, head)
    pending = len(history.pending(revisions, at, head))
    console.document(f"# The schema\n\nThe revision files make this schema at {head}; pending revisions: {pending}.\n")
    console.document(f"```mermaid\n{diagram.tables(now, later)}\n```\n")
    console.document("## The revisions\n\nPending revisions have a broken border.\n")
    done = history.applied(revisions, at)
    console.document(f"```mermaid\n{diagram.history(history.oldest_first(revisions), done)}\n```")
    return 0


def version(target: settings.Settings, head: str) -> list[str]:
    """Return the database's revision. If it does not answer, return the head, so that nothing is shown as pending."""
    try:
        with connections.connect(target) as connection:
            return list(history.current(connection))
    except UserError as error:
        console.warn(f"{error.problem} Nothing is marked as pending.")
        return [] if head == "base" else [head]


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
