"""A backup of more tables than a transaction may lock with their indexes, on a server with little room for locks"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from scripts.core import settings
from scripts.core.errors import UserError
from scripts.core.postgres import embedded
from scripts.core.postgres.embedded import THROWAWAY, Cluster
from scripts.core.settings import Settings
from tests.conftest import needs_embedded
from tests.core.backups.conftest import execute, take, value
from tests.core.postgres.test_embedded import another_checkout

pytestmark = needs_embedded

FITTING, TOO_MANY = 150, 1000
"""Tables that pg_dump can lock there, and tables that it cannot. There is room for some 800 locks."""
INDEXES = ["(a)", "(b)", "(a, b)", "(b, a)"]


@pytest.fixture(scope="module")
def small_server() -> Iterator[Settings]:
    few = "max_locks_per_transaction=10 -c max_connections=20"
    with pytest.MonkeyPatch.context() as patch, another_checkout(patch):
        patch.setattr(embedded, "LOCKS", few)
        patch.setenv("DATABASE_URL", "postgresql://owner:secret@127.0.0.1/postgres")
        ours = replace(settings.load(), app_env="development", runtime="none", external=False)
        port = embedded.start(Cluster("target", "owner", "secret", 0, THROWAWAY))
        url = ours.database_url.set(port=port)
        yield replace(ours, database_url=url, application_url=url)


def make_tables(target: Settings, name: str, number: int, indexes: Sequence[str] = ()) -> None:
    statements = f"CREATE TABLE {name} AS SELECT 1 AS a, 2 AS b; " + "".join(
        f"CREATE INDEX ON {name} {columns}; " for columns in indexes
    )
    execute(
        target,
        f"DO $$ BEGIN FOR n IN 1..{number} LOOP EXECUTE replace('{statements}', '{name}', '{name}' || n);"
        " IF n % 25 = 0 THEN COMMIT; END IF; END LOOP; END $$",
    )


def test_a_backup_takes_no_more_locks_than_pg_dump_does(small_server: Settings) -> None:
    make_tables(small_server, "indexed", FITTING, INDEXES)

    found = take(small_server).manifest

    assert len(found.tables) == found.rows == FITTING


def test_where_pg_dump_finds_no_room_the_setting_is_named(small_server: Settings) -> None:
    make_tables(small_server, "bare", TOO_MANY)

    with pytest.raises(UserError, match="out of shared memory") as caught:
        take(small_server)

    assert "Do:    raise max_locks_per_transaction and restart the server" in str(caught.value)
    assert int(str(value(small_server, "SELECT count(*) FROM pg_locks WHERE relation >= 16384"))) == 0
