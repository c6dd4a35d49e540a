"""Put the application's example rows into a development database.

make seed
"""

import sys
from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.seed import seed
from scripts.core import command, console, databases, gates, postgres, settings
from scripts.core.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    command.parser(__doc__, "seed").parse_args(argv)

    target = settings.load()
    with postgres.connect(target) as connection:
        mark = databases.mark(connection)
        if gates.effective(target, mark) != "development":
            raise UserError(
                f"Refusing to seed {target.database_url.database}: this is not development.",
                why=f"It is marked environment={mark}, and APP_ENV is {target.app_env}."
                if mark
                else "It has no mark, which counts as production.",
            )
        connection.rollback()
        with Session(connection) as session:
            added = seed(session)
            session.commit()
    console.done(f"Added {added} rows." if added else "Nothing to do: there are rows already.")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
