"""A backup is whole, or there is none"""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from scripts.core import durable_files
from scripts.core.backups import create, freshness, integrity, inventory, manifest, selection, store, verify
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import client_programs, connections, environments
from scripts.core.settings import Backups, Settings
from tests.core.backups.conftest import execute, take, value
from tests.core.running import session, wait_until


def fails(target: Settings, *words: str) -> UserError:
    """The error of a backup, which must leave nothing that is listed."""
    before = [backup.name for backup in store.list_all(archive_folder()).backups]
    with pytest.raises(UserError) as caught:
        take(target, *words)
    assert [backup.name for backup in store.list_all(archive_folder()).backups] == before
    return caught.value


def archive_folder() -> Path:
    return Path(os.environ["BACKUP_DIR"])


def ended(target: Settings) -> bool:
    """Whether our last session has left the database. The server counts a closed one for some milliseconds."""
    return not value(
        target,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def test_the_manifest_says_what_is_in_the_backup(filled: Settings) -> None:
    execute(filled, "SELECT lo_create(0)", f"ALTER DATABASE {filled.database_url.database} SET search_path = public, b")

    found = take(filled, "feature-x").manifest

    assert (found.database, found.environment, found.label) == (
        filled.database_url.database,
        "development",
        "feature-x",
    )
    assert {name: table.rows for name, table in found.tables.items()} == {
        "public.alembic_version": 1,
        "public.events_2026": 1,
        "public.events_other": 9,
        "public.posts": 50,
        "public.users": 100,
    }
    assert found.rows == 161
    assert found.revision == ["abcd01"]
    assert found.large_objects == 1
    assert found.extensions.keys() == {"plpgsql"}
    assert len(found.fingerprint) == 64
    assert found.properties.settings == [{"role": "", "name": "search_path", "value": "public, b"}]
    assert found.roles == [filled.database_url.username]
    assert datetime.now(UTC) - found.created < timedelta(minutes=1)
    assert {"schema.json", "roles.sql", "dump/toc.dat"} < found.files.keys()
    wait_until(lambda: ended(filled))


def test_a_session_with_temporary_tables_leaves_no_trace_in_a_backup(two_roles: Settings) -> None:
    """Nor the superuser who owns the schemas that they are in."""
    with connections.connect(two_roles, two_roles.application_url) as other:
        other.execute(text("CREATE TEMPORARY TABLE passing AS SELECT 1"))
        other.commit()

        found = take(two_roles).manifest

    assert found.tables == {}
    assert found.roles == sorted(str(login.username) for login in (two_roles.database_url, two_roles.application_url))


def test_the_roles_are_kept_without_their_passwords(filled: Settings, new_role: Callable[..., URL]) -> None:
    role = new_role("pass-word-of-the-role")

    roles_file = (take(filled).path / "roles.sql").read_text()

    assert f"CREATE ROLE {role.username};" in roles_file
    assert "pass-word" not in roles_file
    assert "SCRAM" not in roles_file


def test_only_its_owner_can_look_into_the_folder(filled: Settings, folder: Path) -> None:
    backup = take(filled)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert backup.path.stat().st_mode & 0o777 == 0o700


def test_manifest_and_dump_see_the_same_moment(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are committed after the counting and before pg_dump starts are in neither."""
    look = create._require_space

    def meanwhile(*arguments: object) -> None:
        execute(filled, "INSERT INTO users (name) VALUES ('late')", "UPDATE alembic_version SET version_num = 'abcd02'")
        look(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(create, "_require_space", meanwhile)

    backup = take(filled)

    assert backup.manifest.tables["public.users"].rows == 100
    assert verify.verify(filled, backup, "full").manifest.checks[-1].passed


def test_rows_of_excluded_tables_stay_out_and_the_manifest_says_so(filled: Settings) -> None:
    backup = take(filled, "", "events", "public.posts")

    assert backup.manifest.excluded == ["public.events_2026", "public.events_other", "public.posts"]
    assert backup.manifest.rows == 101
    assert verify.verify(filled, backup, "full").manifest.checks[-1].passed


def test_no_value_of_an_excluded_table_is_in_the_statistics_of_a_dump(filled: Settings) -> None:
    execute(filled, "ANALYZE")

    backup = take(filled, "", "public.posts")

    assert b"post 1" not in (backup.dump / "toc.dat").read_bytes()


def test_a_table_that_others_reference_cannot_be_excluded(filled: Settings) -> None:
    error = fails(filled, "", "users")

    assert "could not be restored: posts references users" in error.problem


@pytest.mark.parametrize("word", ["nowhere", "users_id_seq", "pg_class_not", "a b c"])
def test_a_table_that_is_not_there_cannot_be_excluded(filled: Settings, word: str) -> None:
    assert fails(filled, "", word).problem == f"EXCLUDE={word}: there is no such table."


@pytest.mark.parametrize("label", ["../up", "a/b", ".hidden", "-x", "latest", "a b", "ü", "x" * 41, "a\n"])
def test_a_name_that_could_be_something_else_is_refused(filled: Settings, label: str, folder: Path) -> None:
    assert fails(filled, label).problem == f"NAME={label} cannot name a backup."
    assert not folder.exists()


def test_a_role_that_may_not_read_a_table_is_told_which(
    filled: Settings, new_role: Callable[..., URL], folder: Path
) -> None:
    role = new_role("secret")
    execute(filled, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role.username}", 'CREATE TABLE "Pay Roll" ()')

    error = fails(replace(filled, database_url=role.set(database=filled.database_url.database)))
    execute(filled, f"DROP OWNED BY {role.username}")

    assert error.problem.startswith(f'The role {role.username} may not read public."Pay Roll", public.users_id_seq')
    assert "public.users," not in error.problem


def test_the_owner_of_a_database_need_not_be_a_superuser(filled: Settings, new_role: Callable[..., URL]) -> None:
    owner, name = new_role("secret", "LOGIN CREATEDB"), filled.database_url.database
    execute(filled, f"ALTER DATABASE {name} OWNER TO {owner.username}")
    for table in ("users", "posts", "events", "alembic_version"):
        execute(filled, f"ALTER TABLE {table} OWNER TO {owner.username}")
    execute(filled, f"ALTER TABLE events_2026 OWNER TO {owner.username}")
    execute(filled, f"ALTER TABLE events_other OWNER TO {owner.username}")

    backup = take(replace(filled, database_url=owner.set(database=name)))
    execute(filled, f"REASSIGN OWNED BY {owner.username} TO CURRENT_USER")

    assert backup.manifest.rows == 161
    assert f"CREATE ROLE {owner.username};" in (backup.path / "roles.sql").read_text()


def test_the_server_may_be_named_by_a_service_file(
    filled: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = filled.database_url
    (tmp_path / "services").write_text(f"[shop]\nhost={url.host}\nport={url.port}\nuser={url.username}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    by_service = URL.create(url.drivername, password=url.password, database=url.database, query={"service": "shop"})

    assert take(replace(filled, database_url=by_service)).manifest.rows == 161


def test_a_policy_that_would_hide_rows_is_an_error(filled: Settings, new_role: Callable[..., URL]) -> None:
    role = new_role("secret")
    execute(filled, f"GRANT pg_read_all_data TO {role.username}", "ALTER TABLE posts ENABLE ROW LEVEL SECURITY")

    error = fails(replace(filled, database_url=role.set(database=filled.database_url.database)))

    assert error.problem == f"Row level security hides rows of public.posts from the role {role.username}."


@pytest.mark.faults
def test_a_table_that_somebody_locks_is_named(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "LOCK_WAIT", 1)
    with session(filled.database_url) as other:
        other.execute(text("LOCK TABLE posts"))

        error = fails(filled)

    assert error.problem == "public.posts cannot be read: canceling statement due to lock timeout"


def test_a_table_that_is_dropped_meanwhile_is_named(filled: Settings) -> None:
    with session(filled.database_url) as other, ThreadPoolExecutor(1) as pool:
        other.execute(text("LOCK TABLE posts"))
        backup = pool.submit(fails, filled)
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'posts'::regclass"
        wait_until(lambda: other.scalar(text(waits)))
        other.execute(text("DROP TABLE posts"))
        other.commit()
        error = backup.result()

    assert error.problem.startswith("public.posts cannot be read: ")
    assert take(filled).manifest.rows == 111


@pytest.mark.faults
def test_a_change_that_waits_for_a_table_ends_a_dump_with_its_name(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_dump's workers lock without waiting; with one job there is nobody to be turned away."""
    monkeypatch.setattr(inventory, "LOCK_WAIT", 1)
    look = create._require_space
    with session(filled.database_url) as other, ThreadPoolExecutor(1) as pool:

        def meanwhile(*arguments: object) -> None:
            altered = pool.submit(lambda: other.execute(text("ALTER TABLE posts ADD COLUMN more text")))
            wait_until(lambda: value(filled, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
            look(*arguments)  # type: ignore[arg-type]
            assert not altered.done()

        monkeypatch.setattr(create, "_require_space", meanwhile)
        monkeypatch.setattr(client_programs, "SMALL", 0)
        error = fails(filled)

    assert error.problem.startswith("pg_dump failed: ")
    assert "Another session works on " in str(error)
    assert "State: no backup was made; the database was only read." in str(error)


def test_of_two_at_once_the_second_waits_for_the_first(filled: Settings) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda label: take(filled, label), ("one", "two"))

    assert first.name != second.name
    assert len(store.list_all(archive_folder()).backups) == 2


def test_a_session_that_a_killed_backup_left_is_ended_by_the_next(filled: Settings) -> None:
    with session(filled.database_url, "alembic-dump") as orphan:
        orphan.execute(text("LOCK TABLE posts IN ACCESS SHARE MODE"))

        take(filled)

        wait_until(lambda: ended(filled))
        orphan.invalidate()


@pytest.mark.faults
@pytest.mark.parametrize("application", ["alembic-dump", "alembic-backup%"])
def test_sessions_that_are_ended_in_the_middle_are_an_error(filled: Settings, application: str) -> None:
    """As when the server is stopped."""
    execute(filled, "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 150000) n")
    end = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE :name"
        " AND datname = current_database()"
    )
    over = threading.Event()

    def end_all() -> None:
        with session(filled.database_url) as other:
            while not over.wait(0.02):
                copies = "SELECT count(*) FROM pg_stat_progress_copy WHERE datname = current_database()"
                if other.scalar(text(copies)):
                    other.execute(end, {"name": application})
                other.rollback()

    thread = threading.Thread(target=end_all)
    thread.start()
    try:
        with pytest.raises(Exception, match=r"terminat|closed|could not (receive|obtain lock)") as caught:
            take(filled)
    finally:
        over.set()
        thread.join()

    assert store.list_all(archive_folder()).backups == []
    if application == "alembic-dump":
        assert isinstance(caught.value, UserError)
    assert take(filled).manifest.rows == 150161
    wait_until(lambda: ended(filled))


@pytest.fixture
def small_disk(tmp_path: Path, folder: Path) -> Iterator[Path]:
    """A folder for backups with room for two megabytes."""
    folder.mkdir(mode=0o700)
    if os.getuid() or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]):
        pytest.skip("only root can mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def noise(target: Settings) -> None:
    """About four megabytes that do not compress."""
    execute(
        target,
        "CREATE TABLE noise AS SELECT n, sha512(n::text::bytea) || sha512((-n)::text::bytea) AS b"
        " FROM generate_series(1, 30000) n",
    )


def test_a_disk_that_becomes_full_leaves_no_backup_and_no_bytes(filled: Settings, small_disk: Path) -> None:
    good = take(filled)
    noise(filled)

    error = fails(filled)

    assert "No space left on device" in str(error) or "worker process died" in str(error), error
    assert "State: no backup was made" in str(error)
    assert shutil.disk_usage(small_disk).used < 500_000
    assert store.list_all(small_disk).backups == [good]
    assert len(store.list_all(small_disk).failed) == 1
    execute(filled, "DROP TABLE noise")
    take(filled)
    assert store.list_all(small_disk).failed == []


@pytest.mark.faults
def test_a_disk_that_becomes_full_at_any_moment_leaves_no_backup(
    filled: Settings, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page: while pg_dump writes, or the roles, the schema or the manifest."""
    monkeypatch.setenv("ACCEPT", "space")
    store.remove(take(filled))
    said = set()
    for pages in range(1, 100):
        subprocess.run(["mount", "-o", f"remount,size={pages * 4096}", str(small_disk)], check=True)
        if pages * 4096 > shutil.disk_usage(small_disk).used:
            try:
                take(filled)
                break
            except UserError as error:
                said.add(error.problem)
            assert store.list_all(small_disk).backups == []
            assert store.list_all(small_disk).others == {}
            assert list(small_disk.glob("*/*")) == []

    assert integrity.damage(store.list_all(small_disk).backups[0]) == ""
    assert f"{small_disk} cannot be written: No space left on device." in said
    assert len(said) > 2


def test_a_disk_that_is_too_small_is_seen_before(
    filled: Settings, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise(filled)
    execute(filled, "INSERT INTO noise SELECT n, b FROM noise, generate_series(1, 2)")

    error = fails(filled)

    assert "MB free, and the backup may need" in error.problem
    monkeypatch.setenv("ACCEPT", "space")
    assert "MB free" not in fails(filled).problem


@pytest.mark.parametrize("where", ["/proc/nowhere", "/dev/null/x", "/dev/null"])
def test_a_folder_that_cannot_be_written_is_an_error(filled: Settings, where: str) -> None:
    unwritable = replace(filled, backups=Backups(Path(where), ""))

    assert fails(unwritable).problem.startswith(f"{where} cannot be written: ")


def test_rubbish_in_the_folder_is_named_and_disturbs_nobody(filled: Settings, folder: Path) -> None:
    first = take(filled)
    (folder / "file").write_text("x")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "empty").mkdir()
    (folder / "two\nlines").mkdir()
    for number, content in enumerate(["", "[]", "{}", "null", "\0", '{"format": 1}', "[" * 100_000]):
        (folder / f"bad{number}").mkdir()
        (folder / f"bad{number}" / "manifest.json").write_text(content)

    second = take(filled)
    listing = store.list_all(folder)

    assert listing.backups == [first, second]
    assert len(listing.others) == 11
    assert selection.find(folder, second.manifest.database, None, "latest") == second


def test_what_a_killed_backup_left_is_no_backup_and_is_removed_by_the_next(filled: Settings, folder: Path) -> None:
    left = folder / ".partial-left"
    (left / "dump").mkdir(parents=True)
    (left / "dump" / "toc.dat").write_text("x")

    assert store.list_all(folder).failed == [".partial-left"]
    take(filled)

    assert store.list_all(folder).failed == []
    assert not left.exists()


def test_what_a_living_backup_makes_is_left_alone(filled: Settings, folder: Path) -> None:
    with store.partial(folder) as made:
        (made / "x").write_text("x")
        assert store.list_all(folder).failed == []
        take(filled)
        assert (made / "x").exists()


def test_a_clock_that_goes_back_does_not_make_an_older_backup_the_latest(
    filled: Settings, folder: Path, sent: list[str]
) -> None:
    first = take(filled)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    manifest.write(first.path, replace(first.manifest, created_at=tomorrow))
    second = create.make(filled, create.Wanted())

    assert selection.find(folder, second.manifest.database, None, "latest") == second
    assert "The clock of this machine is behind the newest backup" in sent[0]
    with connections.connect(filled) as connection:
        assert freshness.find(connection, folder, 60) == second, "it was taken just now, whatever its name says"


def test_several_backups_within_a_second_have_names_of_their_own(filled: Settings, folder: Path) -> None:
    taken = [take(filled).name for _ in range(3)]

    assert len(set(taken)) == 3
    assert [backup.name for backup in store.list_all(folder).backups] == taken == sorted(taken)


def test_databases_whose_names_look_the_same_in_a_folder_s_name_have_folders_of_their_own(
    backup: Backup, folder: Path
) -> None:
    found = []
    for database in ("a b", "a_b", "a/b"):
        with store.partial(folder) as made:
            found.append(store.finish(made, replace(backup.manifest, database=database)))

    assert len({one.path for one in found}) == 3
    assert [selection.find(folder, database, None, "latest") for database in ("a b", "a_b", "a/b")] == found


def test_a_backup_is_found_by_its_name_its_label_or_as_the_latest(
    filled: Settings, folder: Path, configured: Settings
) -> None:
    database = str(filled.database_url.database)
    first, second, third = take(filled, "x"), take(filled, "x"), take(filled)

    assert selection.find(folder, database, None, first.name) == first
    assert selection.find(folder, database, None, "x") == second
    assert selection.find(folder, database, None, "latest") == third
    assert selection.find(folder, "other", None, f"backups/{first.name}/") == first
    with pytest.raises(UserError, match="There is no backup of other on this server in"):
        selection.find(folder, "other", None, "latest")
    with pytest.raises(UserError, match="There is no backup y of") as caught:
        selection.find(folder, database, None, "y")
    assert third.name in str(caught.value)


def test_an_older_pg_dump_is_found_out_before_anything_is_written(
    filled: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_programs, "_major", lambda _path: 12)

    assert "needs pg_dump of PostgreSQL" in fails(filled).problem
    assert not folder.exists()


def test_settings_that_end_idle_sessions_do_not_end_a_backup(filled: Settings) -> None:
    name = filled.database_url.database
    for setting in (
        "idle_in_transaction_session_timeout = 1",
        "statement_timeout = 400",
        "default_transaction_read_only = on",
    ):
        execute(filled, f"ALTER DATABASE {name} SET {setting}")

    assert take(filled).manifest.rows == 161


def test_the_mark_is_that_of_the_database(filled: Settings, configured: Settings) -> None:
    with connections.connect(filled, isolation_level="AUTOCOMMIT") as connection:
        environments.write(connection, str(filled.database_url.database), "staging")

    assert take(filled).manifest.environment == "staging"


def test_all_of_a_backup_is_on_the_disk_before_it_has_its_name(
    filled: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_dump brings there what it writes, unless it is told not to."""
    done: list[str] = []
    sync, rename, run = os.fsync, Path.rename, client_programs.run

    def synced(descriptor: int) -> None:
        done.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        sync(descriptor)

    def renamed(path: Path, to: Path) -> Path:
        done.append("renamed")
        return rename(path, to)

    def dumped(program: str, url: URL, *words: str, **more: Any) -> str:
        assert "--no-sync" not in words
        return run(program, url, *words, **more)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(client_programs, "run", dumped)
    take(filled)

    *files, made, last, parent = done
    written = {durable_files.unfinished(name) for name in ("schema.json", "left_out.json", manifest.FILE)}
    assert {*written, "roles.sql", made} == set(files)
    assert made.startswith(store.PARTIAL)
    assert (last, parent) == ("renamed", folder.name)


def test_removing_a_backup_leaves_nothing_of_it(backup: Backup, folder: Path) -> None:
    store.remove(backup)

    assert list(folder.iterdir()) == []
