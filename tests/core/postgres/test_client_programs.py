"""scripts/core/postgres/client_programs.py"""

import os
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from scripts.core import subprocesses
from scripts.core.errors import UserError
from scripts.core.postgres import client_programs, connections, wheel
from scripts.core.settings import Settings
from tests.core.running import is_alive, wait_until


def script(folder: Path, name: str, code: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """Puts a pg_dump of some major onto the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def put(major: int) -> str:
        return script(tmp_path, "pg_dump", f"echo 'pg_dump (PostgreSQL) {major}.1 (Debian {major}.1-1)'")

    return put


@pytest.fixture
def passfiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where passfiles are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_program_of_the_servers_major_comes_first_then_the_oldest_newer_one(
    on_path: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheel, "is_installed", lambda: False)
    path = on_path(17)

    assert client_programs.find("pg_dump", 17) == client_programs.find("pg_dump", 15) == path
    assert client_programs.major(path) == 17
    with pytest.raises(
        UserError, match=r"needs pg_dump of PostgreSQL 18 or newer\. The newest one here is of PostgreSQL 17"
    ) as caught:
        client_programs.find("pg_dump", 18)
    assert "POSTGRES_MAJOR in Dockerfile to 18, or POSTGRES_IMAGE in .env" in str(caught.value)


def test_a_server_that_is_reached_by_tls_needs_a_program_that_knows_it(
    on_path: Callable[[int], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheels = script(tmp_path, "wheels", "echo 'pg_dump (PostgreSQL) 18.1'")
    monkeypatch.setattr(wheel, "is_installed", lambda: True)
    monkeypatch.setattr(wheel, "program", lambda _name: wheels)
    newer = on_path(19)

    assert client_programs.find("pg_dump", 18) == wheels
    assert client_programs.find("pg_dump", 18, tls=True) == newer
    assert client_programs.newest("pg_dump") == client_programs.newest("pg_dump", tls=True) == newer
    monkeypatch.setenv("PATH", "")
    assert client_programs.newest("pg_dump", tls=True) == wheels
    with pytest.raises(UserError, match=r"pg_dump of PostgreSQL 18 or newer with TLS\. There is none here") as caught:
        client_programs.find("pg_dump", 18, tls=True)
    assert "The embedded PostgreSQL's programs have no TLS" in str(caught.value)
    assert "put PostgreSQL 18's client programs on the PATH" in str(caught.value)


def test_without_any_program_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wheel, "is_installed", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UserError, match="here is none"):
        client_programs.find("pg_dump", 17)


def test_debians_wrapper_is_not_started_but_the_programs_that_it_would_start(
    on_path: Callable[[int], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(wheel, "is_installed", lambda: False)
    monkeypatch.setattr(client_programs, "DEBIAN_PROGRAMS", tmp_path / "lib")
    wrapper = Path(on_path(15))
    wrapper.symlink_to(wrapper.rename(tmp_path / "pg_wrapper"))
    assert client_programs.find("pg_dump", 15) == str(wrapper)
    for major in (16, 18):
        (tmp_path / "lib" / str(major) / "bin").mkdir(parents=True)
        script(tmp_path / "lib" / str(major) / "bin", "pg_dump", f"echo 'pg_dump (PostgreSQL) {major}.1'")

    assert client_programs.find("pg_dump", 15) == str(tmp_path / "lib" / "16" / "bin" / "pg_dump")
    assert client_programs.newest("pg_dump", tls=True) == str(tmp_path / "lib" / "18" / "bin" / "pg_dump")


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ('could not open directory "/dev/null/none"', "zstd:3"),
        ("this build does not support compression with ZSTD", "gzip:1"),
        ('invalid value "zstd:3" for option -Z/--compress', "gzip:1"),
    ],
)
def test_zstd_is_used_where_the_program_is_built_with_it(tmp_path: Path, says: str, expected: str) -> None:
    pg_dump = script(tmp_path, "pg_dump", f"echo 'pg_dump: error: {says}' >&2; exit 1")

    assert client_programs.compression(pg_dump) == expected


def test_what_this_pg_dump_can_do_it_does(configured: Settings, tmp_path: Path) -> None:
    pg_dump = client_programs.find("pg_dump", 17)

    said = client_programs.run(
        pg_dump,
        configured.database_url,
        *("--format=directory", f"--compress={client_programs.compression(pg_dump)}", f"--file={tmp_path / 'dump'}"),
    )

    assert said == ""


@pytest.mark.parametrize("odd", ["", ":", "\\", "\\: \\\\:", "'", "%41", "é€", '"'], ids=range(8))
def test_any_password_gets_in_by_a_file_that_only_we_can_read(
    new_role: Callable[..., URL], tmp_path: Path, passfiles: Path, odd: str
) -> None:
    url = new_role(f"s3cret{odd}word").set(database="template1")
    watching = f'stat -c %a "$PGPASSFILE" >{tmp_path}/mode; echo "$@" >{tmp_path}/words; env >{tmp_path}/environment'
    spy = script(tmp_path, "spy", f'{watching}\nexec {client_programs.find("pg_dump", 17)} "$@"')

    said = client_programs.run(spy, url, "--schema-only", "--file=/dev/null")

    assert said == ""
    assert (tmp_path / "mode").read_text() == "600\n"
    for seen in ("words", "environment"):
        assert "s3cret" not in (tmp_path / seen).read_text()
    assert list(passfiles.glob("pgpass-*")) == []


def test_a_passfile_of_a_killed_process_is_removed_by_the_next(configured: Settings, passfiles: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    left, living = passfiles / f"pgpass-{dead.pid}-x", passfiles / f"pgpass-{os.getppid()}-x"
    for path in (left, living):
        path.write_text("*:*:*:*:secret\n")

    client_programs.run("true", configured.database_url)

    assert list(passfiles.glob("pgpass-*")) == [living]


def test_what_the_url_says_beside_the_password_is_said_in_libpqs_words(tmp_path: Path, configured: Settings) -> None:
    words = tmp_path / "words"
    spy = script(tmp_path, "spy", f'printf "%s\\n" "$@" >{words}')
    url = URL.create(
        *("postgresql+psycopg2", "ada's", "secret", "db", 5433, "a b\\c"),
        {"sslmode": "verify-full", "service": "shop", "target_session_attrs": "read-write"},
    )

    client_programs.run(spy, url, "--x")

    assert words.read_text() == (
        "--dbname=host='db' port='5433' user='ada\\'s' sslmode='verify-full' service='shop'"
        " target_session_attrs='read-write' dbname='a b\\\\c' application_name='alembic-dump'\n--x\n"
    )


def test_a_service_file_names_the_server(configured: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = configured.database_url
    (tmp_path / "services").write_text(f"[shop]\nhost={url.host}\nport={url.port}\nuser={url.username}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    by_service = URL.create(url.drivername, password=url.password, database="postgres", query={"service": "shop"})

    assert (
        client_programs.run(client_programs.find("pg_dump", 17), by_service, "--schema-only", "--file=/dev/null") == ""
    )


def test_tls_that_the_server_lacks_is_an_error(configured: Settings) -> None:
    url = configured.database_url.set(query={"sslmode": "require"})

    said = client_programs.run(client_programs.find("pg_dump", 17), url, "--schema-only", "--file=/dev/null")

    assert "SSL" in said


def test_a_tick_that_raises_ends_the_program_and_its_children(tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = f"sh -c 'echo $$ >{started}.new; mv {started}.new {started}; exec sleep 1000' & wait"

    def tick() -> None:
        wait_until(started.exists)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        subprocesses.follow([script(tmp_path, "program", code)], {}, tick)

    wait_until(lambda: not is_alive(int(started.read_text())))


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocesses, "GRACE", 0.2)

    def tick() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        subprocesses.follow([script(tmp_path, "stubborn", "trap '' TERM; sleep 1000")], {}, tick)


def test_our_sessions_have_a_name_by_which_they_are_found(configured: Settings, target: Settings) -> None:
    found: list[str] = []
    with connections.connect(target) as connection:
        connection.execute(text("CREATE TABLE t ()"))
        connection.commit()
        connection.execute(text("LOCK TABLE t"))

        def tick() -> None:
            sessions = text("SELECT application_name FROM pg_stat_activity WHERE datname = current_database()")
            found.extend(connection.scalars(sessions))

        words = ("--file=/dev/null", "--lock-wait-timeout=1500")
        said = client_programs.run(client_programs.find("pg_dump", 17), target.database_url, *words, tick=tick)

    assert "alembic-dump" in found
    assert client_programs.reason(said) == "canceling statement due to statement timeout"


def test_the_umask_does_not_open_a_passfile(configured: Settings, tmp_path: Path, passfiles: Path) -> None:
    before = os.umask(0)
    try:
        spy = script(tmp_path, "spy", f'cp -p "$PGPASSFILE" {tmp_path}/copy')
        client_programs.run(spy, configured.database_url)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600


def test_a_second_job_is_for_large_tables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_programs, "JOBS", 4)

    assert [client_programs.jobs(size) for size in (0, client_programs.SMALL, client_programs.SMALL + 1)] == [1, 1, 4]
