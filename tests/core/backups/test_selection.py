"""What is chosen without its name is of this server"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core.backups import freshness, manifest, selection, store
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import connections, embedded, system_identifier
from scripts.core.postgres.embedded import THROWAWAY, Cluster
from scripts.core.settings import Settings
from tests.conftest import needs_embedded
from tests.core.backups.conftest import ROWS, execute, take
from tests.core.postgres.test_embedded import another_checkout


@pytest.fixture
def elsewhere(filled: Settings) -> Iterator[Settings]:
    """Another server that has a database of the same name, with the same rows at the same revision."""
    url = filled.database_url
    with pytest.MonkeyPatch.context() as patch, another_checkout(patch):
        login = str(url.username), str(url.password)
        there = url.set(port=embedded.start(Cluster("target", *login, 0, THROWAWAY)))
        other = replace(filled, database_url=there, application_url=there)
        with connections.connect(other, connections.maintenance(other), isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {url.database}")
            connection.exec_driver_sql(f"COMMENT ON DATABASE {url.database} IS 'environment=development'")
        execute(other, *ROWS.strip().split("\n"))
        yield other


def identity(of: Settings) -> str:
    found = system_identifier.look(of)
    assert found
    return found


def is_fresh(of: Settings, folder: Path) -> Backup | None:
    with connections.connect(of) as connection:
        return freshness.find(connection, folder, 60)


@needs_embedded
def test_of_another_server_s_database_only_by_name(filled: Settings, elsewhere: Settings, folder: Path) -> None:
    backup, name = take(filled, "x"), str(filled.database_url.database)

    assert identity(filled) != identity(elsewhere)
    assert is_fresh(filled, folder) == backup
    assert is_fresh(elsewhere, folder) is None
    assert selection.find(folder, name, identity(filled), "latest") == backup
    with pytest.raises(UserError, match="on this server in") as caught:
        selection.find(folder, name, identity(elsewhere), "latest")
    assert f"The newest ones of other servers and databases: {backup.name}." in str(caught.value)

    assert selection.find(folder, name, identity(elsewhere), backup.name) == backup
    assert selection.find(folder, name, identity(elsewhere), "x") == backup
    assert selection.whose(backup, name, identity(elsewhere)) == "of another server"
    own = take(elsewhere, "x")
    assert selection.find(folder, name, identity(elsewhere), "x") == own
    assert selection.find(folder, name, identity(filled), "x") == backup


def test_where_the_server_does_not_say_which_it_is_the_name_of_the_database_decides(
    backup: Backup, folder: Path
) -> None:
    assert selection.find(folder, backup.manifest.database, None, "latest") == backup


def test_a_backup_of_an_older_version_is_of_no_known_server(filled: Settings, backup: Backup, folder: Path) -> None:
    manifest.write(backup.path, replace(backup.manifest, cluster=None, fingerprint_version=None))
    (old,) = store.list_all(folder).backups
    name = old.manifest.database

    assert is_fresh(filled, folder) is None
    with pytest.raises(UserError, match="There is no backup of"):
        selection.find(folder, name, identity(filled), "latest")
    assert selection.find(folder, name, identity(filled), old.name) == old
    assert selection.whose(old, name, identity(filled)).startswith("of an unknown server")
    assert selection.whose(old, "other", identity(filled)).startswith(f"of the database {name}, of an unknown server")


def test_an_older_one_never_takes_the_place_of_one_that_cannot_be_read(filled: Settings, folder: Path) -> None:
    older, newer = take(filled, "x"), take(filled, "x")
    name, cluster = str(filled.database_url.database), identity(filled)
    with (newer.path / "manifest.json").open("a") as file:
        file.write("damaged")

    for wanted in (store.LATEST, "x", newer.name):
        with pytest.raises(UserError, match=newer.name):
            selection.find(folder, name, cluster, wanted)

    assert selection.find(folder, name, cluster, older.name) == older
    with pytest.raises(UserError, match="There is no backup y"):
        selection.find(folder, name, cluster, "y")
    take(filled)
    assert selection.find(folder, name, cluster, store.LATEST).manifest.label == ""
