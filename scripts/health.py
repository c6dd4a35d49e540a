"""Check that the database is reachable and not behind this code, and that the application is well.

python -m scripts.health
"""

import sys
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from scripts.core import application, settings, subprocesses
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.postgres import connections
from scripts.core.revisions import history


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "scripts.health").parse_args(argv)

    fault = _fault()
    console.say(f"unhealthy: {fault}" if fault else "healthy")
    return 1 if fault else 0


def _fault() -> str:
    """Return what is wrong, or nothing."""
    try:
        database = settings.load_application()
        with connections.engine(database.url, "health").connect() as connection:
            current = history.current(connection)
        if lacking := history.lacking(history.load(), current):
            return f"the database lacks {', '.join(sorted(lacking))}"
        words = application.read().health_words
        said = subprocesses.failure(words, environment=settings.application_environment(database)) if words else ""
    except (UserError, DBAPIError) as error:
        return " ".join(str(error).split())
    return said


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
