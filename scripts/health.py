"""Check that the database is reachable and not behind this code, and that the application is well.

python -m scripts.health
"""

import sys
import time
from collections.abc import Mapping, Sequence

from sqlalchemy.exc import DBAPIError

from scripts.core import application, reloader, settings, subprocesses
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.postgres import connections
from scripts.core.revisions import history


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.health")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="of an application that still starts")
    arguments = parser.parse_args(argv)

    fault = _fault(time.monotonic() + arguments.wait)
    console.say(f"unhealthy: {fault}" if fault else "healthy")
    return 1 if fault else 0


def _fault(deadline: float) -> str:
    """Return what is wrong, or nothing."""
    try:
        database = settings.load_application()
        with connections.engine(database.url, "health").connect() as connection:
            current = history.current(connection)
        if lacking := history.lacking(history.load(), current):
            return f"the database lacks {', '.join(sorted(lacking))}"
        environment = settings.application_environment(database)
        while not (failure := reloader.failure(database.runtime)):
            failure = _own_fault(environment)
            if not failure or time.monotonic() > deadline:
                break
            time.sleep(0.2)
    except (UserError, DBAPIError) as error:
        return " ".join(str(error).split())
    return failure


def _own_fault(environment: Mapping[str, str]) -> str:
    """Return what the application's own check finds, or nothing."""
    words = application.read().health_words
    return subprocesses.failure(words, environment=environment) if words else ""


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
