"""The target is wholly what it was or what it shall be, and nothing is lost"""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from scripts.core.backups import inventory, kept_databases, restore, restore_into
from scripts.core.backups.store import Backup
from scripts.core.errors import UserError
from scripts.core.postgres import client_programs, connections, databases, wheel
from scripts.core.revisions import history
from scripts.core.settings import Settings
from tests.conftest import needs_embedded
from tests.core.backups.conftest import execute, flip, take, value
from tests.core.running import session, wait_until


@pytest.fixture(autouse=True)
def _drop_old_databases(target: Settings) -> Iterator[None]:
    yield
    with databases.server(target) as server:
        for one in names(target):
            databases.drop(server, one)


def names(target: Settings) -> list[str]:
    """The databases whose name begins as the target's."""
    with databases.server(target) as server:
        found = text("SELECT datname FROM pg_database WHERE datname ~ ('^' || :name || '(__|$)') ORDER BY 1")
        return list(server.scalars(found, {"name": target.database_url.database}))


def put(target: Settings, backup: Backup, environment: str | None = "development") -> str:
    return restore.put_in_place(target, backup, environment)


def test_what_was_dropped_by_mistake_is_back_and_the_other_is_kept(filled: Settings, backup: Backup) -> None:
    execute(filled, "DROP TABLE posts", "INSERT INTO users (name) VALUES ('later')")

    old = put(filled, backup)

    assert value(filled, "SELECT count(*) FROM posts") == 50
    assert value(filled, "SELECT count(*) FROM users") == 100
    assert names(filled) == [filled.database_url.database, old]
    kept_one = replace(filled, database_url=filled.database_url.set(database=old))
    assert value(kept_one, "SELECT count(*) FROM users") == 101


def test_the_two_can_change_places_again(filled: Settings, backup: Backup) -> None:
    execute(filled, "INSERT INTO users (name) VALUES ('later')")
    first = put(filled, backup)

    second = restore.bring_back(filled, first)

    assert value(filled, "SELECT count(*) FROM users") == 101
    assert names(filled) == [filled.database_url.database, second]
    with databases.server(filled) as server:
        assert [one.name for one in kept_databases.list_all(server, str(filled.database_url.database))] == [second]


def test_a_database_that_is_gone_comes_back(filled: Settings, backup: Backup) -> None:
    with databases.server(filled) as server:
        databases.drop(server, str(filled.database_url.database))

    assert restore.look(filled) == restore.State(False, "development", {})
    assert put(filled, backup) == ""

    assert value(filled, "SELECT count(*) FROM users") == 100


def test_the_planner_knows_the_restored_tables(filled: Settings) -> None:
    execute(filled, "ANALYZE users")

    put(filled, take(filled))

    assert value(filled, "SELECT count(*) FROM pg_stats WHERE tablename IN ('users', 'posts')") == 6


def test_the_mark_is_set_on_purpose_and_the_rest_of_the_comment_comes_back(filled: Settings) -> None:
    name = filled.database_url.database
    execute(filled, f"COMMENT ON DATABASE {name} IS 'it''s 100%\nenvironment=staging\nmore'")
    backup = take(filled)
    execute(filled, f"COMMENT ON DATABASE {name} IS NULL")

    put(filled, backup, "test")

    comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    assert value(filled, comment) == "it's 100%\nmore\nenvironment=test"


def test_settings_and_grants_of_the_database_come_back(
    filled: Settings, new_role: Callable[..., URL], sent: list[str]
) -> None:
    name, role = filled.database_url.database, new_role("secret").username
    execute(
        filled,
        f"ALTER DATABASE {name} SET search_path = public, \"$user\", 'a b'",
        f"ALTER DATABASE {name} SET my.word = 'it''s 100%: \"x\"'",
        f"ALTER DATABASE {name} SET default_transaction_read_only = on",
        f"ALTER ROLE {role} IN DATABASE {name} SET work_mem = '7MB'",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO {role} WITH GRANT OPTION",
    )
    backup = take(filled)
    old = restore.put_in_place(filled, backup, "development")
    again = take(filled)
    with databases.server(filled) as server:
        for one in (str(name), old):
            databases.drop(server, one)

    assert sent == []
    assert again.manifest.properties == backup.manifest.properties


def test_what_names_a_role_that_is_gone_is_left_out_and_told(
    filled: Settings, new_role: Callable[..., URL], sent: list[str]
) -> None:
    role = new_role("secret").username
    execute(filled, f"ALTER ROLE {role} IN DATABASE {filled.database_url.database} SET work_mem = '7MB'")
    backup = take(filled)
    execute(filled, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
    restore.put_in_place(filled, backup, None)

    assert len(sent) == 1
    assert f'role "{role}" does not exist' in sent[0]


@pytest.mark.parametrize("damage", ["flipped", "missing", "added"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(filled: Settings, backup: Backup, damage: str) -> None:
    toc = backup.dump / "toc.dat"
    if damage == "flipped":
        flip(toc, 50)
    elif damage == "missing":
        toc.unlink()
    else:
        (backup.dump / "more").touch()

    with pytest.raises(UserError, match="is damaged"):
        restore.require_fitting(backup, history.load(), "development")


@pytest.mark.parametrize(("taken", "here"), [("production", "development"), ("development", None), (None, "test")])
def test_a_backup_of_another_environment_is_refused_unless_accepted(
    backup: Backup, monkeypatch: pytest.MonkeyPatch, taken: str | None, here: str | None
) -> None:
    other = replace(backup, manifest=replace(backup.manifest, environment=taken, revision=[]))

    with pytest.raises(UserError, match="is of another environment") as caught:
        restore.require_fitting(other, history.load(), here)

    assert "ACCEPT=environment" in str(caught.value)
    monkeypatch.setenv("ACCEPT", "environment")
    restore.require_fitting(other, history.load(), here)


def test_a_revision_that_this_checkout_lacks_is_refused_unless_accepted(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="revision abcd01, which has no file"):
        restore.require_fitting(backup, history.load(), "development")

    monkeypatch.setenv("ACCEPT", "revision")
    restore.require_fitting(backup, history.load(), "development")


def test_a_restore_that_fails_leaves_the_target_and_nothing_beside_it(filled: Settings, backup: Backup) -> None:
    execute(filled, "INSERT INTO users (name) VALUES ('later')")
    toc = backup.dump / "toc.dat"
    toc.write_bytes(toc.read_bytes().replace(b"posts", b"users"))

    with pytest.raises(UserError, match="cannot be restored: ") as caught:
        put(filled, backup)

    assert "State: what was restored is dropped" in str(caught.value)
    assert value(filled, "SELECT count(*) FROM users") == 101
    assert names(filled) == [filled.database_url.database]


@needs_embedded
def test_a_disk_of_the_server_that_becomes_full_leaves_the_target(target: Settings) -> None:
    """A tablespace with room for one of the two databases."""
    place = Path(tempfile.mkdtemp(prefix="tablespace-"))
    if os.getuid() or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=6m,mode=777", "tmpfs", str(place)]):
        pytest.skip("only root can mount")
    try:
        wheel.give(place)
        space = f"test_{place.name[-8:]}"
        execute(
            target,
            f"CREATE TABLESPACE \"{space}\" LOCATION '{place}'",
            f'CREATE TABLE noise TABLESPACE "{space}" AS SELECT n, sha512(n::text::bytea) AS b'
            " FROM generate_series(1, 40000) n",
        )
        with pytest.raises(UserError, match=r"cannot be restored: could not extend file .*: No space left on device"):
            put(target, take(target))

        assert value(target, "SELECT count(*) FROM noise") == 40000
        assert names(target) == [target.database_url.database]
        execute(target, "DROP TABLE noise", f'DROP TABLESPACE "{space}"')
    finally:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def test_programs_that_are_too_old_for_the_backup_are_found_out_first(
    filled: Settings, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_programs, "_major", lambda _path: 12)
    monkeypatch.setattr(restore_into, "_make_roles", None)

    with pytest.raises(UserError, match="This needs pg_restore of PostgreSQL"):
        put(filled, backup)

    assert names(filled) == [filled.database_url.database]


@pytest.mark.faults
def test_a_server_whose_sessions_end_leaves_the_target(filled: Settings, backup: Backup) -> None:
    execute(filled, "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 100000) n")
    backup = take(filled)
    made = databases.temporary(str(filled.database_url.database))
    end = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE starts_with(datname, :made) AND query LIKE 'COPY%'"
    )
    over = threading.Event()

    def end_all() -> None:
        with databases.server(filled) as server:
            while not over.wait(0.01):
                server.execute(end, {"made": made})

    thread = threading.Thread(target=end_all)
    thread.start()
    try:
        with pytest.raises(UserError, match=r"cannot be restored: .*(terminat|closed)"):
            put(filled, backup)
    finally:
        over.set()
        thread.join()

    assert names(filled) == [filled.database_url.database]
    assert value(filled, "SELECT count(*) FROM big") == 100000


def test_of_two_at_once_one_is_done_after_the_other(filled: Settings, backup: Backup) -> None:
    def attempt(_: int) -> str:
        try:
            return put(filled, backup)
        except (UserError, DBAPIError) as error:
            return f"refused: {error}"

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(attempt, range(2)))

    assert value(filled, "SELECT count(*) FROM users") == 100
    assert any(one in names(filled) for one in done)


class Clients:
    """Eight clients that write, and connect again at once when they are cut off, as an application does."""

    def __init__(self, url: URL) -> None:
        self.engine = create_engine(url, poolclass=NullPool)
        self.over = threading.Event()
        self.faults: list[str] = []
        self.worked: list[float] = []
        """When a row was committed."""
        self.threads = [threading.Thread(target=self.work) for _ in range(8)]

    def work(self) -> None:
        while not self.over.is_set():
            try:
                with self.engine.begin() as connection:
                    connection.execute(text("INSERT INTO users (name, state) VALUES ('load', 'a')"))
                self.worked.append(time.monotonic())
            except DBAPIError as error:
                self.faults.append(str(error.orig))

    def __enter__(self) -> "Clients":
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.worked)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.faults
def test_an_application_under_load_meets_cut_sessions_and_loses_no_row_of_the_backup(
    filled: Settings, backup: Backup
) -> None:
    with Clients(filled.database_url) as clients:
        put(filled, backup)
        swapped = time.monotonic()
        wait_until(lambda: clients.worked[-1] > swapped)

    assert value(filled, "SELECT count(*) FROM users WHERE name <> 'load'") == 100
    assert value(filled, "SELECT count(*) FROM posts") == 50
    assert any(moment < swapped for moment in clients.worked)
    assert clients.faults
    for fault in clients.faults:
        assert "terminat" in fault or "closed" in fault or "does not exist" in fault, fault


def test_a_migration_that_runs_is_waited_for(filled: Settings, backup: Backup) -> None:
    hasty = replace(filled, limits=replace(filled.limits, wait=0.3))
    with session(filled.database_url, "alembic-lock") as other:
        other.execute(text("SELECT pg_advisory_lock(hashtextextended('alembic_version', 0))"))

        with pytest.raises(UserError, match=r"Waited 0\.3 s"):
            put(hasty, backup)

    assert names(filled) == [filled.database_url.database]


def test_a_backup_waits_for_a_migration_too(filled: Settings) -> None:
    hasty = replace(filled, limits=replace(filled.limits, wait=0.3))
    with session(filled.database_url, "alembic-lock") as other:
        other.execute(text("SELECT pg_advisory_lock(hashtextextended('alembic_version', 0))"))

        with pytest.raises(UserError, match=r"Waited 0\.3 s"):
            take(hasty)


def test_roles_that_are_missing_and_may_not_be_made_are_named(
    filled: Settings, new_role: Callable[..., URL], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of a database who is no superuser."""
    owner, other = new_role("secret", "LOGIN CREATEDB"), new_role("secret")
    name = filled.database_url.database
    execute(filled, f"ALTER TABLE posts OWNER TO {other.username}", f"GRANT SELECT ON users TO {other.username}")
    backup = take(filled)
    execute(filled, f"DROP OWNED BY {other.username} CASCADE", f"DROP ROLE {other.username}")
    execute(filled, f"ALTER DATABASE {name} OWNER TO {owner.username}")
    theirs = replace(filled, database_url=owner.set(database=name))

    with pytest.raises(UserError, match=f"lacks the roles {other.username}") as caught:
        put(theirs, backup)
    assert "ACCEPT=roles" in str(caught.value)

    monkeypatch.setenv("ACCEPT", "roles")
    old = put(theirs, backup)

    assert value(theirs, "SELECT count(*) FROM posts") == 50
    assert value(theirs, "SELECT tableowner FROM pg_tables WHERE tablename = 'posts'") == owner.username
    with databases.server(filled) as server:
        for one in (name, old):
            databases.drop(server, str(one))


def test_the_maintenance_database_is_not_swapped(configured: Settings, backup: Backup) -> None:
    with pytest.raises(UserError, match="postgres cannot be renamed"):
        put(configured, backup)


def test_a_role_that_may_make_no_database_is_told_what_it_lacks(
    filled: Settings, backup: Backup, new_role: Callable[..., URL]
) -> None:
    role = new_role("secret").set(database=filled.database_url.database)

    with pytest.raises(UserError, match="permission denied to create database") as caught:
        put(replace(filled, database_url=role), backup)

    assert f"ALTER ROLE {role.username} CREATEDB" in str(caught.value)


ODD = r"""
CREATE EXTENSION citext;
CREATE SCHEMA "My Schema: 100%";
CREATE TABLE "My Schema: 100%"."Quo""te it's" ("a b" int, "C%" text, PRIMARY KEY ("a b"));
INSERT INTO "My Schema: 100%"."Quo""te it's" SELECT n, 'x' || n FROM generate_series(1, 20) n;
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE kinds (id int GENERATED ALWAYS AS IDENTITY, j json, jb jsonb, b bytea, t timestamptz, d date, f float8,
    n numeric, a text[][], c citext, v interval, r int4range, e text, twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO kinds (j, jb, b, t, d, f, n, a, c, v, r, e) VALUES
    ('{"a": 1, "a":  2}', '{"b": [1, null]}', '\x00ff5c0a', 'infinity', '-infinity', 'NaN', 'Infinity',
     '{{a,NULL},{"c,d","\""}}', 'CiTeXt', '-1 mon 3 days -04:05:06.789', 'empty', E'tab\t nl\n cr\r bs\\ nul\\N é 🐘 '),
    (NULL, NULL, '', '-infinity', 'infinity', '-0', '1e-300', '{}', '', '0', '[1,)', ''),
    ('null', 'null', NULL, '2026-10-25 02:30:00+02', '0001-01-01 BC', '1e308', 'NaN', NULL, NULL, NULL, NULL, '\N');
CREATE TABLE parts (k text, n int) PARTITION BY LIST (k);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a') PARTITION BY RANGE (n);
CREATE TABLE parts_a1 PARTITION OF parts_a FOR VALUES FROM (0) TO (10);
CREATE TABLE "Parts B" PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT CASE WHEN n % 2 = 0 THEN 'a' END, n FROM generate_series(0, 9) n;
CREATE TABLE parent (a int);
CREATE TABLE child (b int) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 3);
CREATE MATERIALIZED VIEW summary AS SELECT k, sum(n) AS total FROM parts GROUP BY k;
CREATE MATERIALIZED VIEW not_filled AS SELECT 1 AS one WITH NO DATA;
CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS a;
CREATE SEQUENCE counter START 100;
SELECT nextval('counter'), nextval('counter');
SELECT lo_from_bytea(4711, '\x00010203');
COMMENT ON LARGE OBJECT 4711 IS 'a large object';
CREATE TABLE self (id int PRIMARY KEY, up int REFERENCES self);
INSERT INTO self VALUES (1, 2), (2, 1);
CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never on a restore'; END $$;
CREATE TABLE triggered AS SELECT 1 AS a;
CREATE TRIGGER loud BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION loud()
"""


def odd_statements() -> list[str]:
    return ODD.strip().split(";\n")


SUM = "sum(hashtextextended(t::text, 0)::numeric)"


def hashes(target: Settings) -> dict[str, object]:
    """A sum over the rows of each table and materialized view, and the state of what is no table."""
    with inventory.snapshot(target, "alembic-test") as connection:
        relations = connection.scalars(
            text(
                "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE (relkind = 'r' OR relkind = 'm' AND relispopulated) AND n.nspname !~ '^(pg_|information)'"
            )
        ).all()
        found: dict[str, object] = {
            name: tuple(
                connection.exec_driver_sql(f"SELECT count(*), {SUM} FROM ONLY {name.replace('%', '%%')} t").one()
            )
            for name in relations
        }
        found["sequence"] = tuple(connection.execute(text("SELECT last_value, is_called FROM counter")).one())
        found["large object"] = bytes(connection.scalar(text("SELECT lo_get(4711)")))
        return found


def test_everything_comes_back_equal(target: Settings) -> None:
    execute(target, *odd_statements())
    before = hashes(target)
    assert len(before) > 12
    assert before["public.kinds"][0] == 3  # type: ignore[index]
    backup = take(target)

    put(target, backup)

    assert hashes(target) == before
    assert value(target, "SELECT twice FROM kinds ORDER BY id LIMIT 1") == 2
    execute(target, "INSERT INTO kinds (j) VALUES ('1')")
    assert value(target, "SELECT max(id) FROM kinds") == 4, "an identity goes on counting"


def test_nothing_of_ours_is_left_connected(filled: Settings, backup: Backup) -> None:
    old = put(filled, backup)

    with connections.connect(filled, connections.maintenance(filled), isolation_level="AUTOCOMMIT") as connection:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE datname IN (:name, :old)")
        names = {"name": filled.database_url.database, "old": old}
        # The server counts a closed session for some milliseconds.
        wait_until(lambda: connection.scalar(query, names) == 0)
