"""Add the application's example rows to a development database.

make seed
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from scripts.core import application, settings, sqlstates
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.postgres import connections, environments
from scripts.core.revisions import history, models
from scripts.core.user_code import ExitError, contained


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "scripts.seed").parse_args(argv)

    target = settings.load()
    with connections.connect(target) as connection:
        environment = environments.read(connection)
        if environments.effective(target, environment) != "development":
            raise UserError(
                f"Refusing to seed {target.database_url.database}: it is not for development.",
                why=f"Its environment is {environment or environments.NOT_SET}. APP_ENV is {target.app_env}.",
            )
        connection.rollback()
        _require_head(history.current(connection))
        connection.rollback()
        added = fill(connection)
    if added is None:
        console.done("Added the example rows.")
    else:
        console.done(f"Added {counted(added, 'row')}." if added else "Nothing to do: there are rows already.")
    return 0


def _require_head(at: Sequence[str]) -> None:
    """Raise UserError if the database is behind, because the models may have columns that it lacks."""
    revisions = history.load()
    history.require_known(revisions, at)
    if missing := history.missing(revisions, at):
        raise UserError(
            f"The database is at {', '.join(at) or 'base'}, {counted(len(missing), 'revision')} behind the files.",
            why="The example rows are those of the models.",
            do="make migrate, then make seed",
        )


def fill(connection: Connection) -> int | None:
    """Return how many rows were added, if the application says so."""
    environment = settings.application_environment(settings.load_application())
    try:
        with contained(environment), Session(connection) as session:
            added = _function()(session)
            if inspect.isawaitable(added):
                raise TypeError("it is async, and gets a session that is not")
            session.commit()
    except ProgrammingError as error:
        if sqlstates.of(error) not in (sqlstates.UNDEFINED_COLUMN, sqlstates.UNDEFINED_TABLE):
            raise
        raise UserError(
            f"The models are ahead of the database: {connections.first_line(error)}.",
            why="The database is at head, so no revision makes that.",
            do='make revision m="what it does", make migrate, then make seed',
        ) from error
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{models.place(error)}: {_said(error)}.", do="correct that file") from error
    return added if isinstance(added, int) else None


def _said(error: Exception) -> str:
    if isinstance(error, ExitError):
        return str(error)
    return connections.first_line(error) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"


def _function() -> Callable[[Session], Any]:
    """Return the application's function. Raise UserError if there is none."""
    module, _, name = application.read().seed.partition(":")
    try:
        found: Any = reduce(getattr, name.split("."), importlib.import_module(module))
    except (ModuleNotFoundError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UserError(
            f"There are no example rows: {error}.",
            why=f"make seed calls {module}:{name}.",
            do="write that function, or name another one as seed in [tool.app] of pyproject.toml",
        ) from error
    return cast(Callable[[Session], Any], found)


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
