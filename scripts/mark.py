"""Say what a database is: development, test, staging or production.

    make mark ENV=staging CONFIRM=app

The mark is kept in the database itself and decides what the commands refuse; none counts as production.
"""

import os
import shlex
import sys
from collections.abc import Sequence

from scripts.core import command, console, databases, gates, postgres, settings
from scripts.core.errors import USAGE, UserError


def main(argv: Sequence[str] | None = None) -> int:
    parser = command.parser(__doc__, "mark")
    parser.add_argument("environment", nargs="?", default="", metavar="ENV", help=", ".join(gates.STRICTNESS))
    environment = parser.parse_args(argv).environment
    if environment not in gates.STRICTNESS:
        raise UserError(
            f"ENV={environment} is not one of {', '.join(gates.STRICTNESS)}.",
            do="make mark ENV=development CONFIRM=<database>",
            code=USAGE,
        )

    target = settings.load()
    name = str(target.database_url.database)
    with postgres.connect(target, isolation_level="AUTOCOMMIT") as connection:
        before = databases.mark(connection)
        if before == environment:
            console.done(f"Nothing to do: {name} is marked environment={environment} already.")
            return 0
        console.say(f"{name} at {postgres.address(target)} is {'marked ' + before if before else 'not marked'}.")
        typed = os.environ.get("CONFIRM") or console.ask(f"Type {name} to mark it {environment}:")
        if typed != name:
            raise UserError("Not confirmed.", do=f"make mark ENV={environment} CONFIRM={shlex.quote(name)}")
        databases.set_mark(connection, name, environment)
    with postgres.connect(target) as connection:
        console.done(f"{name} is marked environment={databases.mark(connection)}.")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
