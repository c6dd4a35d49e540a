"""make migrate"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import ROOT, Project

# On the target only, and not on the scratch server, where it is planned.
SLEEP = """op.execute("SELECT pg_sleep(CASE WHEN current_database() LIKE 'test%' THEN 1000 ELSE 0 END)")"""


def table(name: str) -> str:
    return f'op.execute("CREATE TABLE {name} ()")'


def test_applies_everything_and_says_the_time_of_each(empty_project: Project, revisions: list[str]) -> None:
    result = empty_project.run("migrate")

    assert result.returncode == 0, result.stderr
    assert empty_project.version == revisions[-1:]
    for revision in revisions:
        assert f"{revision}  applied in" in result.stdout


def test_a_second_time_there_is_nothing_to_do(settled: Project, revisions: list[str]) -> None:
    result = settled.run("migrate")

    assert result.returncode == 0
    assert result.stdout == f"✓ Nothing to do: the database is at {revisions[-1]}.\n"


def test_it_imports_neither_a_plan_nor_a_highlighter_before_they_are_needed() -> None:
    """They took a fifth of the time in which it says that there is nothing to do."""
    late = "scripts.core.plan", "pygments"
    code = f"import sys, scripts.migrate; print([name for name in sys.modules if name.startswith({late})])"

    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert said.stdout == "[]\n"


def test_goes_to_the_revision_that_a_prefix_names(empty_project: Project, revisions: list[str]) -> None:
    result = empty_project.run("migrate", revisions[0][:4])

    assert result.returncode == 0
    assert empty_project.version == revisions[:1]
    assert f"✓ The database is at {revisions[0]}." in result.stdout


@pytest.mark.parametrize(
    ("wanted", "code", "words"),
    [
        ("zzzz", 2, ["REV=zzzz is no revision of this checkout", "{newest}"]),
        ("abcd", 2, ["REV=abcd matches 2 revisions", "abcd01  abcd01 message", "abcd02  abcd02 message"]),
        ("head", 1, ["There are 2 heads", "abcd01  abcd01 message", "abcd02  abcd02 message", "make merge"]),
        ("base", 2, ["base is older than the database", "make rollback REV=base"]),
    ],
)
def test_a_revision_that_is_not_one_place_is_named_with_the_candidates(
    edited: Project, revisions: list[str], wanted: str, code: int, words: list[str]
) -> None:
    for revision in ("abcd01", "abcd02"):
        edited.write_revision(revision, revisions[-1])

    result = edited.run("migrate", wanted)

    assert result.returncode == code
    for word in words:
        assert word.format(newest=revisions[-1]) in result.stderr
    assert edited.version == revisions[-1:]


def test_one_of_two_heads_can_be_applied_after_the_other(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], table("one"))
    project.write_revision("abcd02", revisions[-1], table("two"))

    results = [project.run("migrate", "abcd01"), project.run("migrate", "abcd02")]

    assert [result.returncode for result in results] == [0, 0], results
    assert sorted(project.version) == ["abcd01", "abcd02"]


def test_creates_its_own_missing_database_and_marks_it(project: Project) -> None:
    project.url = project.url.set(database=f"{project.url.database}_missing")

    result = project.run("migrate", APP_ENV="test")

    assert result.returncode == 0, result.stderr
    assert f"✓ Created the database {project.url.database}. Its environment is test." in result.stdout
    assert project.sql("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname LIKE '%_missing'")


def test_a_missing_database_of_somebody_else_is_an_error(project: Project) -> None:
    url = project.url.set(database=f"{project.url.database}_missing", drivername="postgresql")

    result = project.run("migrate", DATABASE_URL=url.render_as_string(hide_password=False))

    assert result.returncode == 1
    assert f"has no database {url.database}" in result.stderr
    assert "Do:    correct DATABASE_URL, or create the database" in result.stderr


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+asyncpg"])
def test_a_whole_url_wins_over_the_parts(settled: Project, revisions: list[str], scheme: str) -> None:
    url = settled.url.set(drivername=scheme).render_as_string(hide_password=False)

    result = settled.run("migrate", DATABASE_URL=url, POSTGRES_PORT="1", POSTGRES_USER="nobody")

    assert result.stdout == f"✓ Nothing to do: the database is at {revisions[-1]}.\n"


@pytest.mark.parametrize("url", ["sqlite:///app.db", "mysql://app:s3cret-pw@db/app"])
def test_the_url_of_another_database_or_driver_is_refused(settled: Project, url: str) -> None:
    result = settled.run("migrate", DATABASE_URL=url)

    assert result.returncode == 2
    assert f"DATABASE_URL is for {url.partition(':')[0]}: this environment is for PostgreSQL" in result.stderr
    assert "s3cret-pw" not in result.stdout + result.stderr


@pytest.mark.parametrize("whole", [False, True])
def test_a_password_of_any_characters_migrates(
    empty_project: Project, superuser: Callable[[str], None], revisions: list[str], whole: bool
) -> None:
    password, role = "a%41 %s@b/c#d$e${HOME}'f\"g\\h:i?j&k=é ", f"{empty_project.url.database}_role"
    literal = password.replace("'", "''")
    superuser(f"CREATE ROLE {role} LOGIN PASSWORD '{literal}'")
    superuser(f"ALTER DATABASE {empty_project.url.database} OWNER TO {role}")
    url = empty_project.url.set(username=role, password=password)
    encoded = f"postgresql://{role}:{quote(password, safe='')}@{url.host}:{url.port}/{url.database}"

    result = Project(empty_project.path, url).run("migrate", **({"DATABASE_URL": encoded} if whole else {}))

    assert result.returncode == 0, result.stderr
    assert empty_project.version == revisions[-1:]
    assert password not in result.stdout + result.stderr
    superuser(f"DROP DATABASE {url.database} WITH (FORCE)")
    superuser(f"DROP ROLE {role}")


def test_every_fault_of_the_settings_is_in_one_list_with_its_file_and_line(edited: Project) -> None:
    file = edited.path / ".env"
    file.write_text(
        "# our settings\nRUNTIME=podman\n\nPOSTGRES_USER=\nthis is no setting\nPOSTGRES_PASSWORD=s3cret-pw\n"
    )

    result = bare(edited, "migrate", POSTGRES_PORT="many")

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"✗ The settings are not right. Read from {file}:",
        "    line 5 is not NAME=value",
        "    RUNTIME is 'podman', not one of docker, embedded, none (line 2)",
        "    POSTGRES_USER is empty (line 4)",
        "    POSTGRES_PORT is 'many', not a number from 1 to 65535",
        "    POSTGRES_DB is missing",
        "  Do:    correct .env; .env.example explains every variable",
        "  State: nothing was changed.",
        "  More:  make doctor; settings in docs/troubleshooting.md",
    ]


def test_without_env_and_environment_it_says_what_was_looked_at(settled: Project) -> None:
    result = bare(settled, "migrate")

    assert result.returncode == 2
    assert f"Read from the environment (there is no {settled.path / '.env'})" in result.stderr
    for name in ("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"):
        assert f"{name} is missing" in result.stderr


def bare(project: Project, verb: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A script in an environment that has no setting but these."""
    return subprocess.run(
        [sys.executable, "-m", f"scripts.{verb}"],
        cwd=project.path,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_password_fails_at_once_and_is_not_shown(settled: Project) -> None:
    started = time.monotonic()

    result = settled.run("migrate", POSTGRES_PASSWORD="wr0ng-pw", CONNECT_WAIT="30")

    assert time.monotonic() - started < 15
    assert result.returncode == 1
    assert f"refuses the password of user {settled.url.username}." in result.stderr
    assert "Do:    restore the old password in .env" in result.stderr
    assert "State: nothing was changed." in result.stderr


def test_done_is_said_only_after_a_new_connection_has_checked(empty_project: Project) -> None:
    runner = empty_project.own("scripts/core") / "migrate" / "runner.py"
    configure = "    context.configure(connection=connection, fn="
    assert configure in runner.read_text()
    early = '    connection.exec_driver_sql("SELECT 1")\n'
    runner.write_text(runner.read_text().replace(configure, early + configure))

    result = empty_project.run("migrate")

    assert result.returncode == 1
    assert "✓" not in result.stdout
    assert "a new connection reads base" in result.stderr
    assert "State: the database is at base." in result.stderr


@pytest.mark.parametrize(
    ("upgrade", "words"),
    [
        (
            'op.execute("CREATE VIEW v AS SELECT FROM kept"); op.execute("DROP TABLE kept")',
            [
                "line 12: cannot drop table kept because other objects depend on it",
                "Why:   view v depends on table kept\n         Use DROP ... CASCADE",
                "The statement was: DROP TABLE kept",
                "Do:    drop or change these objects before that line, then run this again",
            ],
        ),
        ('raise ValueError("no such thing")', ["line 12: ValueError: no such thing"]),
        ("op.no_such_operation()", ["line 12: AttributeError: "]),
    ],
)
def test_a_failing_revision_is_told_with_its_place_and_cause_and_what_came_before_stays(
    project: Project, revisions: list[str], upgrade: str, words: list[str]
) -> None:
    project.write_revision("abcd01", revisions[-1], table("kept"))
    project.write_revision("abcd02", "abcd01", f"{table('undone')}; {upgrade}")

    result = project.run("migrate")

    assert result.returncode == 1
    assert "abcd01  applied in" in result.stdout
    assert "✗ alembic/versions/abcd02.py, " in result.stderr
    for word in words:
        assert word in result.stderr
    assert "State: the database is at abcd01; the step was rolled back." in result.stderr
    assert project.version == ["abcd01"]
    assert project.sql("SELECT to_regclass('kept')::text, to_regclass('undone')::text") == [("kept", None)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("def upgrade(:\n", "alembic/versions/abcd01.py, line 1 cannot be imported: SyntaxError"),
        ('"""x"""\nimport no_such_module\n', "alembic/versions/abcd01.py, line 2 cannot be imported: ModuleNotFound"),
        (
            '"""x"""\nrevision = "abcd01"\ndown_revision = "gone"\n',
            "The revision files contradict each other: Revision gone referenced from gone -> abcd01",
        ),
        (
            '"""x"""\nrevision = "{newest}"\ndown_revision = None\n',
            "The revision files contradict each other: Revision {newest} is present more than once",
        ),
        (
            f'"""x"""\nrevision = "{"a" * 33}"\ndown_revision = "{{newest}}"\n',
            f"alembic/versions/abcd01.py: the id {'a' * 33} has 33 characters.",
        ),
    ],
)
def test_a_broken_revision_file_is_named(edited: Project, revisions: list[str], content: str, words: str) -> None:
    (edited.versions / "abcd01.py").write_text(content.replace("{newest}", revisions[-1]))

    result = edited.run("migrate")

    assert result.returncode == 1
    assert words.replace("{newest}", revisions[-1]) in result.stderr
    assert "site-packages" not in result.stderr


def test_an_enum_value_is_used_by_the_revision_after_the_one_that_adds_it(
    project: Project, revisions: list[str]
) -> None:
    project.write_revision("abcd01", revisions[-1], """op.execute("CREATE TYPE mood AS ENUM ('sad')")""")
    project.write_revision("abcd02", "abcd01", """op.execute("ALTER TYPE mood ADD VALUE 'happy'")""")
    project.write_revision("abcd03", "abcd02", """op.execute("CREATE TABLE days AS SELECT 'happy'::mood AS mood")""")

    result = project.run("migrate")

    assert result.returncode == 0, result.stderr
    assert project.sql("SELECT mood::text FROM days") == [("happy",)]


def test_a_revision_whose_file_is_on_another_branch_is_brought_back_by_the_command_that_is_printed(
    project: Project, revisions: list[str], git: Callable[..., None]
) -> None:
    git("switch", "--quiet", "--create", "feature/orders")
    project.write_revision("abcd01", revisions[-1])
    git("add", "--all")
    git("commit", "--quiet", "--message=add orders")
    git("switch", "--quiet", "main")
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    result = project.run("migrate")

    assert result.returncode == 1
    assert "✗ The database is at revision abcd01, which has no file in this checkout." in result.stderr
    assert "(add orders), branch feature/orders" in result.stderr
    (cure,) = [line.split("Do:", 1)[1].split() for line in result.stderr.splitlines() if "Do:" in line]
    assert cure[:5] == ["make", "recover;", "or:", "git", "checkout"]
    git(*cure[4:])
    assert project.run("migrate").stdout == "✓ Nothing to do: the database is at abcd01.\n"


def test_a_revision_that_is_nowhere_is_said_to_be_nowhere(project: Project, git: Callable[..., None]) -> None:
    project.sql("UPDATE alembic_version SET version_num = 'abcd01'")

    result = project.run("migrate")
    shutil.rmtree(project.path / ".git")
    without_git = project.run("migrate")

    assert result.returncode == 1
    assert "There is no git repository here" in without_git.stderr
    assert "No commit of this git repository has that file." in result.stderr
    assert "make stamp REV=<revision>" in result.stderr


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_can_be_run_again(
    project: Project, revisions: list[str], number: signal.Signals
) -> None:
    project.write_revision("abcd01", revisions[-1], table("one"))
    project.write_revision("abcd02", "abcd01", f"{table('two')}; {SLEEP}")
    running = begin(project)
    wait_until(lambda: asleep(project))

    running.send_signal(number)
    said = running.communicate(timeout=60)[1]

    assert running.returncode == 130, said
    assert "✗ Interrupted." in said
    assert "Do:    run this again" in said
    assert project.version == ["abcd01"]
    project.write_revision("abcd02", "abcd01", table("two"))
    assert project.run("migrate").returncode == 0
    assert project.version == ["abcd02"]


@pytest.mark.faults
def test_an_interruption_after_a_commit_within_the_revision_says_what_stays(
    project: Project, revisions: list[str]
) -> None:
    block = "    with op.get_context().autocommit_block(): op.execute('CREATE TABLE two ()')"
    project.write_revision("abcd01", revisions[-1], f"{table('one')}\n{block}\n    {SLEEP}")
    running = begin(project)
    wait_until(lambda: asleep(project))

    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]

    assert running.returncode == 130, said
    assert "the work up to the end of its autocommit block is committed and stays." in said
    assert "IF NOT EXISTS" in said
    assert project.sql("SELECT to_regclass('one')::text") == [("one",)]


@pytest.mark.parametrize(
    ("typo", "said"),
    [("op.add_colum()", "has no attribute 'add_colum'"), ("sa.Column", "name 'sa' is not defined")],
)
def test_a_typo_is_named(project: Project, revisions: list[str], typo: str, said: str) -> None:
    project.write_revision("abcd01", revisions[-1], typo)

    assert said in project.run("migrate").stderr


@pytest.mark.faults
def test_a_run_that_is_killed_at_any_moment_can_be_run_again(empty_project: Project, revisions: list[str]) -> None:
    moment = random.uniform(0.3, 1.2)
    running = begin(empty_project)
    time.sleep(moment)
    running.kill()
    running.communicate()

    result = empty_project.run("migrate")

    assert result.returncode == 0, f"killed after {moment:.3f} s: {result.stderr}"
    assert empty_project.version == revisions[-1:]


def begin(project: Project) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.migrate"],
        cwd=project.path,
        env=project.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def asleep(project: Project) -> bool:
    return bool(
        project.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_output_is_kept_in_the_log_folder(settled: Project, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()

    result = settled.run("migrate", "zzzz", LOG_DIR=str(logs))

    (log,) = logs.iterdir()
    assert "-migrate-" in log.name
    assert log.read_text() == result.stdout + result.stderr


def test_an_extension_that_this_server_lacks_is_told(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], 'op.execute("CREATE EXTENSION no_such_extension")')

    result = project.run("migrate")

    assert result.returncode == 1
    assert 'extension "no_such_extension" is not available' in result.stderr
    assert "line 12" in result.stderr
    assert project.version == revisions[-1:]


@pytest.mark.parametrize("ending", ["sys.exit(0)", "os._exit(0)", "os.execlp('true', 'true')", "raise SystemExit"])
@pytest.mark.parametrize("environment", ["development", "staging"])
def test_a_revision_that_ends_the_process_is_an_error_with_its_place(
    project: Project, revisions: list[str], ending: str, environment: str
) -> None:
    project.write_revision("abcd01", revisions[-1], f"{table('t')}; import os, sys; {ending}")

    result = project.run("migrate", APP_ENV=environment)

    assert result.returncode == 1, result.stdout
    assert re.search(r"alembic/versions/abcd01\.py, line 12: .* would end the whole command", result.stderr)
    assert project.version == revisions[-1:]
    assert project.sql("SELECT to_regclass('t')::text") == [(None,)]


def test_a_downgrade_that_ends_the_process_stops_no_migration(project: Project, revisions: list[str]) -> None:
    project.write_revision("abcd01", revisions[-1], table("t"), "import sys; sys.exit(0)")

    result = project.run("migrate")

    assert result.returncode == 0, result.stderr
    assert project.version == ["abcd01"]


@pytest.mark.faults
def test_a_revision_that_never_ends_is_not_run(project: Project, revisions: list[str]) -> None:
    """In development too: the plan has waited for it."""
    project.write_revision("abcd01", revisions[-1], "import time; time.sleep(60)")

    result = project.run("migrate", PLAN_DEADLINE="3")

    assert result.returncode == 1
    assert "✗ alembic/versions/abcd01.py, line 12, was still running after 3 s.\n" in result.stderr
    assert project.version == revisions[-1:]


def test_the_top_of_a_revisions_file_does_not_end_the_process(edited: Project) -> None:
    path = edited.write_revision("abcd01", edited.version[0])
    path.write_text(f"import sys\nsys.exit(0)\n{path.read_text()}")

    result = edited.run("migrate")

    assert result.returncode == 1
    assert "✗ alembic/versions/abcd01.py, line 2 cannot be imported: ExitError: SystemExit(0)" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        *(("lint", "--all"), ("plan", "--json"), ("diagram",), ("reset",), ("alembic", "upgrade head")),
        *(("alembic", "history"), ("history",)),
    ],
    ids=" ".join,
)
def test_no_command_is_green_with_a_revision_that_ends_it(
    project: Project, revisions: list[str], words: tuple[str, ...]
) -> None:
    path = project.write_revision("abcd01", revisions[-1], "import sys; sys.exit(0)")
    if "history" in words:
        path.write_text(f"import sys\nsys.exit(0)\n{path.read_text()}")

    result = project.run(*words, CONFIRM=str(project.url.database))

    assert result.returncode == 1, result.stdout
    assert re.search(r"alembic/versions/abcd01\.py, line (2|12)\b.*SystemExit\(0\)", result.stderr), result.stderr
    assert project.version == revisions[-1:]
