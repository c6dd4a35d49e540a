"""The settings that the application and the scripts share: from the environment, .env and files of secrets"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL, make_url

from scripts.core import settings, variables
from scripts.core.errors import UserError
from scripts.core.settings import ApplicationSettings
from tests.conftest import ROOT

Read = Callable[..., ApplicationSettings]

DATABASE = "POSTGRES_USER=app\nPOSTGRES_PASSWORD=geheim\nPOSTGRES_DB=app\n"

HOSTILE = ["%", "100%41", "p@ss", "a/b", "#1", "$HOME", "${HOME}", "'", '"', " a b ", "a:b", "?x=1", "\\", "é€", "`id`"]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads settings from a file with these lines, and an environment with nothing but these variables."""

    def read(lines: str | bytes = "", **environ: str) -> ApplicationSettings:
        path = tmp_path / ".env"
        path.write_bytes(lines if isinstance(lines, bytes) else lines.encode())
        monkeypatch.setattr(settings, "read", lambda: variables.read(environ, path))
        return settings.load_application()

    return read


def faults(read: Read, lines: str | bytes = "", **environ: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        read(lines, **environ)
    return [line.strip() for line in caught.value.problem.splitlines()[1:]]


def test_the_environment_wins_over_the_file(read: Read) -> None:
    settings = read(DATABASE, POSTGRES_DB="other", POSTGRES_HOST="db")

    assert settings.url.database == "other"
    assert settings.url.host == "db"
    assert settings.url.username == "app"


def test_an_empty_variable_does_not_hide_the_value_of_the_file(read: Read) -> None:
    assert read(DATABASE, POSTGRES_DB="").url.database == "app"


ROLE = "APP_DB_USER=rows\nAPP_DB_PASSWORD=offen\n"


def test_the_application_has_a_role_of_its_own_where_there_is_one(read: Read) -> None:
    url = read(DATABASE + ROLE).url

    assert (url.username, url.password, url.database) == ("rows", "offen", "app")
    assert read(DATABASE).url.username == "app"


def test_its_role_needs_no_password_of_the_owner(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("offen\n")
    secret = str(tmp_path / "secret")

    url = read("", APP_DB_USER="rows", APP_DB_PASSWORD_FILE=secret, POSTGRES_DB="app", POSTGRES_PASSWORD="").url

    assert (url.username, url.password) == ("rows", "offen")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("APP_DB_USER=rows\n", "APP_DB_PASSWORD is missing"),
        ("APP_DB_PASSWORD=offen\n", "APP_DB_USER is missing"),
        ("APP_DB_PASSWORD_FILE=/dev/null\n", "APP_DB_USER is missing"),
        ("APP_DB_USER=app\nAPP_DB_PASSWORD=x\n", "APP_DB_USER is the same as POSTGRES_USER (line 4)"),
    ],
)
def test_half_a_role_is_a_fault_and_never_the_owner(read: Read, lines: str, fault: str) -> None:
    assert fault in faults(read, DATABASE + lines)


def test_without_app_env_it_is_production(read: Read) -> None:
    assert read(DATABASE).app_env == "production"


def test_the_port_of_the_containers_wins_over_the_published_one(read: Read) -> None:
    ports = [read(DATABASE, **given).url.port for given in ({}, {"DB_PORT": "1"}, {"POSTGRES_PORT": "2"})]
    both = read(DATABASE, DB_PORT="1", POSTGRES_PORT="2").url.port

    assert (*ports, both) == (5432, 1, 2, 2)


def test_all_faults_are_told_at_once_with_their_lines(read: Read) -> None:
    lines = "APP_ENV=developement\n\njust words\nPOSTGRES_USER=app\nPOSTGRES_PASSWORD=\nDB_PORT=x\n"

    found = faults(read, lines, RUNTIME="podman")

    assert found == [
        "line 3 is not NAME=value",
        "APP_ENV is 'developement', not one of development, test, staging, production (line 1)",
        "RUNTIME is 'podman', not one of docker, embedded, none",
        "POSTGRES_PASSWORD is empty (line 5)",
        "DB_PORT is 'x', not a number from 1 to 65535 (line 6)",
        "POSTGRES_DB is missing",
    ]


def test_a_name_that_postgresql_would_cut_is_a_fault(read: Read) -> None:
    lines = "POSTGRES_USER=app\nPOSTGRES_PASSWORD=x\nPOSTGRES_DB="

    assert faults(read, f"{lines}{'ß' * 32}\n") == ["POSTGRES_DB has 64 bytes; PostgreSQL takes 63 (line 3)"]
    assert faults(read, DATABASE_URL=f"postgresql://{'r' * 64}:x@host/{'d' * 65}") == [
        "DATABASE_URL names a database of 65 bytes; PostgreSQL takes 63",
        "DATABASE_URL names a role of 64 bytes; PostgreSQL takes 63",
    ]
    assert read(f"{lines}{'ß' * 31}x\n").url.database == "ß" * 31 + "x"


def test_faults_name_the_file_that_was_read(read: Read, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read()

    start = f"The settings are not right. Read from {tmp_path / '.env'}:\n    POSTGRES_USER is missing\n"
    assert caught.value.problem.startswith(start)


def test_faults_say_when_there_is_no_file(tmp_path: Path) -> None:
    assert variables.read({}, tmp_path / ".env").source == f"the environment (there is no {tmp_path / '.env'})"


@pytest.mark.parametrize("line", ["just words", "=x", "POSTGRES_HOST", "A B=x"])
def test_a_line_that_is_not_an_assignment_is_a_fault(read: Read, line: str) -> None:
    assert faults(read, f"# a comment\n\n{DATABASE}{line}\n") == ["line 6 is not NAME=value"]


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("'a$b #c d'", "a$b #c d"),
        ('"a b"', "a b"),
        ("'say \"x\"'", 'say "x"'),
        ('"it\'s"', "it's"),
        (r"'it\'s'", "it's"),
        ("pa%word#1", "pa%word#1"),
        ("'${HOME}'", "${HOME}"),
        ("x # a comment", "x"),
        ("  x  ", "x"),
        ("é€", "é€"),
    ],
)
@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "export POSTGRES_PASSWORD"])
def test_a_value_means_what_its_quotes_say(read: Read, name: str, value: str, meaning: str) -> None:
    assert read(f"{DATABASE}{name}={value}\nAPP_ENV=test\n").url.password == meaning


@pytest.mark.parametrize("lines", [DATABASE.replace("\n", "\r\n"), "\ufeff" + DATABASE], ids=["crlf", "bom"])
def test_a_file_of_a_windows_editor_is_read(read: Read, lines: str) -> None:
    url = read(lines).url

    assert (url.username, url.password, url.database) == ("app", "geheim", "app")


def test_a_file_that_is_not_text_is_a_fault(read: Read, tmp_path: Path) -> None:
    assert "line 2 is not UTF-8 text" in faults(read, b"POSTGRES_DB=app\nPOSTGRES_PASSWORD=\xff\n")


@pytest.mark.parametrize("password", HOSTILE)
def test_any_password_survives_as_a_part_and_inside_the_url(read: Read, password: str) -> None:
    url = read(DATABASE, POSTGRES_PASSWORD=password).url

    assert url.password == password
    assert make_url(url.render_as_string(hide_password=False)).password == password


def test_any_password_opens_the_database(read: Read, new_database: Callable[..., URL]) -> None:
    owner = new_database()
    role = str(owner.database)
    with create_engine(owner, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        try:
            for password in HOSTILE:
                literal = text(f"ALTER ROLE {role} PASSWORD :word").bindparams(word=password)
                connection.execute(literal)
                parts = {"POSTGRES_HOST": str(owner.host), "POSTGRES_PORT": str(owner.port), "POSTGRES_DB": role}
                url = read("", POSTGRES_USER=role, POSTGRES_PASSWORD=password, **parts).url
                with create_engine(url, poolclass=NullPool).connect() as opened:
                    assert opened.scalar(text("SELECT current_user")) == role
        finally:
            connection.execute(text(f"DROP ROLE {role}"))


def test_a_whole_url_wins_over_its_parts(read: Read) -> None:
    settings = read(DATABASE, DATABASE_URL="postgresql://me@elsewhere/shop")

    assert settings.url.host == "elsewhere"
    assert not read(DATABASE).external


@pytest.mark.parametrize(
    ("name", "content"),
    [("POSTGRES_PASSWORD", "pa$$ %#'\n"), ("DATABASE_URL", "postgres://me:pa%24%24 %25%23'@h/shop\n")],
)
def test_a_secret_may_come_from_a_file(read: Read, tmp_path: Path, name: str, content: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text(content)

    settings = read("", POSTGRES_USER="app", POSTGRES_DB="app", **{f"{name}_FILE": str(secret)})

    assert settings.url.password == "pa$$ %#'"
    assert settings.external is (name == "DATABASE_URL")


def test_a_secret_file_that_is_not_there_is_a_fault(read: Read) -> None:
    found = faults(read, DATABASE, DATABASE_URL_FILE="/nowhere/url")

    assert "DATABASE_URL_FILE: cannot read /nowhere/url: No such file or directory" in found


def test_an_empty_secret_file_is_a_fault_of_that_file_and_not_of_the_settings(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(UserError) as caught:
        read(POSTGRES_USER="app", POSTGRES_DB="app", POSTGRES_PASSWORD="", POSTGRES_PASSWORD_FILE=f"{tmp_path}/secret")

    assert caught.value.problem.endswith(f":\n    POSTGRES_PASSWORD_FILE: {tmp_path}/secret is empty")
    assert dict(caught.value.facts)["Do"] == "correct this file"


def test_a_secret_file_that_a_container_may_not_read_says_which_mode_it_needs(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    secret = tmp_path / "password"
    secret.write_text("geheim")
    secret.chmod(0o000)

    result = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(secret)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    hint = "Permission denied: make it mode 0444 in a folder of mode 0700"
    assert f"POSTGRES_PASSWORD_FILE: cannot read {secret}: {hint}" in result.stdout, result.stderr


AS_NOBODY = """
import os, pathlib, sys
from scripts.core import settings, variables
try:
    os.seteuid(65534)
except PermissionError:
    pass  # not root, or root without capabilities: mode 000 keeps both out
reader = variables.read({"POSTGRES_PASSWORD_FILE": sys.argv[1]}, pathlib.Path("/nowhere/.env"))
settings.application(reader)
print(*reader.faults, sep="\\n")
"""


@pytest.mark.parametrize(
    "environ",
    [
        {"POSTGRES_USER": "u", "POSTGRES_DB": "d", "POSTGRES_PASSWORD": "geheim"},
        {"DATABASE_URL": "postgresql://u:geheim@h/d"},
        {"DATABASE_URL": "postgresql://h/d?user=u&password=geheim"},
        {"DATABASE_URL": "postgresql://u:ge%40heim%2Fgeheim@h/d"},
    ],
)
def test_settings_do_not_show_the_password(read: Read, environ: dict[str, str]) -> None:
    found = read("", **environ)

    shown = f"{found!r} {found} {found.url}"

    assert "heim" not in shown
    assert "geheim" in str(found.url.password)


@pytest.mark.parametrize(
    "lines",
    [
        "POSTGRES_PASSWORD='geheim\n",
        "POSTGRES_PASSWORD='x' geheim\n",
        "POSTGRES_PASSWORD=geheim\n",
        "POSTGRES_PASSWORD: geheim\n",
        "DATABASE_URL=postgresql:/u:geheim@h/d\n",
    ],
)
def test_no_fault_shows_a_password(read: Read, lines: str) -> None:
    with pytest.raises(UserError) as caught:
        read(f"APP_ENV=nonsense\n{lines}")

    assert "geheim" not in f"{caught.value} {caught.value!r}"
