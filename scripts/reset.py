"""Drop the development database and build it again from the revision files.

    make reset                   asks for the database's name
    make reset CONFIRM=app       without a terminal

It refuses every database whose environment is not development.
"""

import shlex
import sys
from collections.abc import Sequence

from scripts.core import messages, settings
from scripts.core.cli import confirmation, console, entry_point
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.steps import Step
from scripts.core.postgres import connections, databases, declared_extensions, environments, replacement
from scripts.core.revisions import history
from scripts.core.rows import row_estimate


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "scripts.reset").parse_args(argv)

    target = settings.load()
    head = history.head(history.load())
    databases.ensure(target)
    name = str(target.database_url.database)
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        require_development(target, name, environments.read(connection))
        rows = row_estimate.read(connection)
    console.say(f"Database {name}: {counted(len(rows), 'table')} with {row_estimate.total(rows)} will be lost.")
    for table, count in rows.items():
        console.say(f"  {table}: {count}")
    confirmation.require(name, "to drop it", "make reset")

    with declared_extensions.login(target) as acting, replacement.new(target, target.app_env) as new:
        databases.let_application_in(target, new.url)
        for login in (target, acting):
            declared_extensions.create(login, databases.name_of(new.url))
        try:
            with messages.sent_to(console.say):
                alembic_commands.upgrade(target, head, show, new.url)
        except UserError as error:
            raise error.with_state(f"{name} is as it was.") from error
        replacement.replace(target, new)
    console.done(f"Database {name} is empty and at {head}.")
    return 0


def require_development(target: settings.Settings, name: str, environment: str | None) -> None:
    if environment != "development":
        raise UserError(
            f"Refusing to reset {name}: its environment is {environment or environments.NOT_SET}.",
            why="Only a development database may be dropped.",
            do=f"if it is one: make environment ENV=development CONFIRM={shlex.quote(name)}",
        )
    if target.app_env != "development":
        raise UserError(
            f"Refusing to reset {name}: APP_ENV is {target.app_env}.",
            why="The database is a development database, but APP_ENV is not development.",
            do="to reset it, set APP_ENV=development in .env",
        )


def show(step: Step) -> None:
    console.say(f"  {step.revision}  applied in {step.seconds:.2f} s", "dim")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
