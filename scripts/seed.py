"""Add the application's example rows to a development database.

make seed
"""

import sys
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.seed import seed
from scripts.core import settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.postgres import connections, environments
from scripts.core.revisions import models
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
        added = fill(connection)
    console.done(f"Added {counted(added, 'row')}." if added else "Nothing to do: there are rows already.")
    return 0


def fill(connection: Connection) -> int:
    try:
        with contained(), Session(connection) as session:
            added = seed(session)
            session.commit()
    except ExitError as error:
        raise UserError(f"{models.place(error)}: {error}.", do="correct that file") from error
    return added


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
