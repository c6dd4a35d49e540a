"""Set the environment of the database: development, test, staging or production.

    make environment ENV=staging CONFIRM=app

The environment is stored in the database itself. It decides what the commands refuse. A database without one is
treated as production.
"""

import shlex
import sys
from collections.abc import Sequence

from scripts.core import overrides, settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import USAGE, UserError
from scripts.core.postgres import connections, environments


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.environment")
    parser.add_argument("environment", nargs="?", default="", metavar="ENV", help=", ".join(environments.STRICTNESS))
    environment = parser.parse_args(argv).environment
    if environment not in environments.STRICTNESS:
        raise UserError(
            f"ENV={environment} is not one of {', '.join(environments.STRICTNESS)}.",
            do="make environment ENV=development CONFIRM=<database>",
            code=USAGE,
        )

    target = settings.load()
    name = str(target.database_url.database)
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        before = environments.all_of(connection)
        if before == [environment]:
            console.done(f"Nothing to do: the environment of {name} is {environment} already.")
            return 0
        was = " and ".join(before) or environments.NOT_SET
        console.say(f"Environment of {name} at {connections.address(target)}: {was}.")
        typed = overrides.confirmed() or console.ask(f"Type {name} to set it to {environment}:")
        if typed != name:
            raise UserError("Not confirmed.", do=f"make environment ENV={environment} CONFIRM={shlex.quote(name)}")
        environments.write(connection, name, environment)
    with connections.connect(target) as connection:
        console.done(f"The environment of {name} is {environments.read(connection)}.")
    return 0


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
