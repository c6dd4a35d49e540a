"""The database that replaces the target on the scratch server."""

from collections.abc import Sequence

from scripts.core import messages
from scripts.core.errors import UserError
from scripts.core.plan import shadow
from scripts.core.postgres import schema_copy, scratch_extensions
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions.history import History
from scripts.core.settings import Settings


def make(server: Scratch, target: Settings, revisions: History, at: Sequence[str]) -> tuple[Settings, str]:
    """Return a copy of the target's schema, or else a shadow of `at`, and the description of that database."""
    try:
        return schema_copy.schema(server, target), f"a copy of the schema of {target.database_url.database}"
    except UserError as error:
        messages.send(error.problem)
        missing = scratch_extensions.lacking(server)
        if missing:
            names = ", ".join(missing)
            messages.send(f"The scratch server lacks {names}, so what needs it is left out. {scratch_extensions.HELP}")
        return shadow.build(server, revisions, at, partial=True), "a database built from the revision files alone"
