"""Is the database reachable, and not behind this code? Exit 0 yes, 1 no.

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
    """Heads of this code that the database lacks.

    A revision that this code does not know is a newer release's or a colleague's: nothing can be said to be lacking.
    """
    known = {script.revision for script in scripts.walk_revisions()}
    if not set(current) <= known:
        return set()
    return set(scripts.get_heads()) - set(current)


if __name__ == "__main__":
    sys.exit(main())
