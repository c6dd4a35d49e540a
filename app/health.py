"""Check that the database is reachable and not behind this code. Exit 0 if so, else 1.

python -m app.health
"""

import sys
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from app.database import make_engine
from app.settings import SettingsError, load

SETTINGS = Path(__file__).parents[1] / "alembic.ini"


def main() -> int:
    try:
        with make_engine(load()).connect() as connection:
            current = MigrationContext.configure(connection).get_current_heads()
    except (SettingsError, DBAPIError) as error:
        print(f"unhealthy: {error}")
        return 1
    missing = behind(ScriptDirectory.from_config(Config(SETTINGS)), current)
    print(f"unhealthy: the database lacks {', '.join(sorted(missing))}" if missing else "healthy")
    return 1 if missing else 0


def behind(scripts: ScriptDirectory, current: tuple[str, ...]) -> set[str]:
    """Return heads of this code that the database lacks.

    A revision that this code does not know belongs to a newer release or a colleague, so nothing counts as lacking
    then.
    """
    known = {script.revision for script in scripts.walk_revisions()}
    if not set(current) <= known:
        return set()
    return set(scripts.get_heads()) - set(current)


if __name__ == "__main__":
    sys.exit(main())
