"""The staging files, in the documented order."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.registry import serving
from tests.containers.stack import APP_PASSWORD, PASSWORD, POSTGRES_IMAGE, Result, Stack, docker, run
from tests.gates import examples

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def staging(host: Stack) -> Stack:
    """A stack that the documented commands have brought up from nothing."""
    for words in (
        ["up", "--detach", "--wait", "db", "scratch"],
        ["run", "--rm", "--no-deps", "tools", "python", "-m", "scripts.migrate"],
        ["up", "--detach", "--wait", "app"],
    ):
        result = host.compose(*words)
        assert result.code == 0, result.output
    return host


def test_documented_order_brings_staging_to_head(staging: Stack) -> None:
    result = staging.compose("run", "--rm", "--no-deps", "tools", "python", "-m", "scripts.status")

    assert result.code == 0, result.output
    assert "Environment  staging" in result.output
    assert staging.inspect("app")["State"]["Health"]["Status"] == "healthy"


def test_a_plan_and_a_verification_have_the_secret_of_tools_and_their_scratch_server(staging: Stack) -> None:
    assert staging.make("rollback").code == 0
    plan = staging.make("plan")
    # The image has no git; this host has. git as root trusts no checkout of another account.
    trusted = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    refused = staging.make("migrate")
    unknown = staging.make("verify-staging", "RELEASE=v0", **trusted)
    assert run(["git", "tag", "v1.4"], staging.folder, **trusted).code == 0
    verified = staging.make("verify-staging", "RELEASE=v1.4", **trusted)
    migrated = staging.make("migrate")

    assert plan.code == 0, plan.output
    assert "1 pending revision, run on a copy of the schema of app, without rows:" in plan.output
    assert "make verify-staging. Override with ACCEPT=unverified." in refused.output
    assert "✗ RELEASE=v0 is neither a folder nor a commit that git has here." in unknown.output
    assert (verified.code, migrated.code) == (0, 0), verified.output + migrated.output
    (report,) = (staging.folder / "reports").glob("*/index.html")
    assert report.stat().st_uid == staging.folder.stat().st_uid
    assert PASSWORD not in plan.output + verified.output + report.read_text()


def in_shop(staging: Stack, shop: Path, verb: str, **environment: str) -> Result:
    """A verb in a container of this release, with the application of the examples and its database."""
    parts = ("alembic/versions", "app/models", "tests/staging")
    mounts = [word for part in parts for word in ("--volume", f"{shop / part}:/srv/{part}:ro")]
    words = ("run", "--rm", "--no-deps", "--no-TTY", *mounts, "tools", "python", "-m", f"scripts.{verb}")
    return staging.compose(*words, POSTGRES_DB="shop", **environment)


def stopped_by(staging: Stack, shop: Path, *chain: Path) -> str:
    """The gate that stops these migrations; "passed" where none does."""
    examples.lay(shop, *chain)
    result = in_shop(staging, shop, "verify_staging", **examples.settings(chain[-1]))
    report = json.loads(max((staging.folder / "reports").glob("*/report.json")).read_text())
    assert result.code == (1 if report["verdict"] == "failed" else 0), result.output
    return str(examples.stopped_by(report)["id"] if report["verdict"] == "failed" else report["verdict"])


@pytest.mark.faults  # minutes, on a disk that is waited for
def test_bad_migrations_are_stopped_by_the_right_gate_and_good_ones_pass(staging: Stack, tmp_path: Path) -> None:
    examples.lay(tmp_path)
    assert in_shop(staging, tmp_path, "migrate").code == 0

    # One for each gate: the others of a gate differ in what PostgreSQL says, not in where they run.
    bad = {example.parent.name: example for example in examples.BAD}

    assert {gate: stopped_by(staging, tmp_path, example) for gate, example in bad.items()} == {
        gate: gate for gate in bad
    }
    assert [stopped_by(staging, tmp_path, *chain) for chain in examples.CHAINS] == ["passed", "passed"]


def test_nothing_is_published_and_everything_comes_back_after_a_reboot(staging: Stack) -> None:
    hosts = [staging.inspect(name)["HostConfig"] for name in ("db", "app")]

    assert not any(host["PortBindings"] for host in hosts)
    assert {host["RestartPolicy"]["Name"] for host in hosts} == {"unless-stopped"}


def test_code_comes_from_the_image(staging: Stack) -> None:
    targets = [mount["Destination"] for mount in staging.inspect("app")["Mounts"]]

    assert targets == ["/run/secrets/app_db_password"]
    assert staging.execute("app", "printenv", "GIT_COMMIT").output.strip() == "c0ffee"


def test_password_is_in_no_variable_even_when_env_file_has_it(staging: Stack) -> None:
    staging.set(POSTGRES_PASSWORD="left over", APP_DB_PASSWORD="left over")

    config = staging.compose("--profile", "*", "config").output

    staging.set(POSTGRES_PASSWORD="", APP_DB_PASSWORD="")
    assert "left over" not in config
    for name in ("db", "app"):
        assert not {PASSWORD, APP_PASSWORD} & texts(staging.inspect(name)), name


def texts(value: object) -> set[str]:
    """Every text in what docker inspect says, and in a variable of the environment what stands behind the =."""
    if isinstance(value, dict):
        return {found for pair in value.items() for part in pair for found in texts(part)}
    if isinstance(value, list):
        return {found for part in value for found in texts(part)}
    return {str(value), str(value).partition("=")[2]}


def test_the_application_has_no_password_of_the_owner(staging: Stack) -> None:
    processes = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /run/secrets/* | tr '\\0' '\\n'; echo; ls /run/secrets"
    inside = staging.execute("app", "sh", "-c", processes)

    scripts = staging.execute("app", "python", "-m", "scripts.status")
    by_url = staging.compose("config", "app", MIGRATION_DATABASE_URL="postgresql://owner:needle@db/app")

    assert PASSWORD not in inside.output
    assert APP_PASSWORD in inside.output
    assert inside.output.splitlines()[-1] == "app_db_password"
    assert PASSWORD not in str(staging.inspect("app"))
    assert scripts.code != 0
    assert "POSTGRES_PASSWORD is empty" in scripts.output
    assert by_url.code == 0
    assert "needle" not in by_url.output


def test_the_application_works_and_cannot_drop_a_table_that_was_migrated_without_a_grant(staging: Stack) -> None:
    assert staging.make("rollback", "CONFIRM=app").code == 0
    assert staging.make("migrate", "ACCEPT=unverified").code == 0

    written = staging.try_sql("DELETE FROM social_posts", "app")
    dropped = staging.try_sql("DROP TABLE social_posts", "app")
    version = staging.try_sql("UPDATE alembic_version SET version_num = 'x'", "app")
    status = staging.make("status")

    assert written == Result(0, "")
    assert "must be owner of table social_posts" in dropped.output
    assert "permission denied for table alembic_version" in version.output
    assert "Migrates as  app_owner: may create databases, no superuser" in status.output
    assert "Application  app: reads and writes rows" in status.output
    assert "could drop tables" not in status.output


def test_a_secret_that_was_replaced_becomes_the_password(staging: Stack) -> None:
    secrets = [staging.folder / "secrets" / name for name in ("postgres_password", "app_db_password")]
    before = [secret.read_text() for secret in secrets]
    assert staging.compose("up", "--detach", "--wait", "scratch").code == 0
    write(secrets, ["n3w'of%owner", "n3w'of%application"])

    roles = staging.make("roles")
    health = staging.execute("app", "python", "-m", "scripts.health")
    by_hand = staging.compose("run", "--rm", "--no-deps", "tools", "python", "-m", "scripts.verify_staging")
    used = [by_hand, staging.make("backup"), staging.make("plan")]
    logs = staging.compose("logs", "db", "scratch").output

    write(secrets, before)
    assert staging.make("roles").code == 0
    assert roles.code == 0, roles.output
    assert [result.code for result in used] == [0] * len(used), used[0].output
    assert health == Result(0, "healthy\n")
    assert staging.execute("app", "python", "-m", "scripts.health") == Result(0, "healthy\n")
    assert "n3w" not in roles.output + logs


def write(secrets: list[Path], passwords: list[str]) -> None:
    """As an editor does: another file in the old one's place."""
    for secret, password in zip(secrets, passwords, strict=True):
        new = secret.with_suffix(".new")
        new.write_text(password)
        new.chmod(0o444)
        new.rename(secret)


def test_app_does_not_reach_scratch(staging: Stack) -> None:
    assert list(staging.inspect("app")["NetworkSettings"]["Networks"]) == [f"{staging.project}_default"]


def test_make_targets_work_there_and_each_run_leaves_a_log(staging: Stack) -> None:
    before = set((staging.folder / "reports").iterdir())

    result = staging.make("migrate")

    (log,) = set((staging.folder / "reports").iterdir()) - before
    assert result.code == 0, result.output
    assert "migrate" in log.name
    assert log.read_text().strip() in result.output
    assert log.stat().st_uid == staging.folder.stat().st_uid


def test_make_up_changes_nothing_when_all_is_up(staging: Stack) -> None:
    before = staging.everything()

    result = staging.make("up")

    assert result.code == 0, result.output
    assert staging.everything() == before


def test_what_development_would_do_is_not_advised(staging: Stack) -> None:
    down = staging.make("status", DOCKER_HOST="tcp://127.0.0.1:1")
    by_hand = staging.execute("app", "alembic", "upgrade", "head")

    assert "✗ RUNTIME is docker, but the Docker engine does not answer." in down.output
    assert "embedded" not in down.output
    assert by_hand.code != 0
    assert "docker compose run --rm --no-deps tools python -m scripts.migrate" in by_hand.output


def test_reset_is_refused(staging: Stack) -> None:
    result = staging.make("reset", "CONFIRM=app")

    assert result.code != 0
    assert "Refusing" in result.output
    assert staging.make("status").code == 0


def test_development_verbs_are_refused(staging: Stack) -> None:
    assert "work only in development" in staging.make("format").output


def test_scratch_is_durable_and_on_disk(staging: Stack) -> None:
    up = staging.compose("up", "--detach", "--wait", "scratch")
    query = ["psql", "-h", "127.0.0.1", "-U", "scratch_administrator", "-d", "postgres", "-Atc", "SHOW fsync"]
    fsync = staging.execute("scratch", *query)
    mounts = {mount["Type"] for mount in staging.inspect("scratch")["Mounts"]}

    assert up.code == 0, up.output
    assert fsync.output.strip() == "on"
    assert mounts == {"volume", "bind"}


def test_down_with_volumes_keeps_the_data(staging: Stack) -> None:
    volume = staging.setting("DB_VOLUME")

    down = staging.compose("--profile", "*", "down", "--volumes")
    volumes_before = docker("volume", "ls", "--quiet").split()
    up = staging.make("up")

    assert down.code == 0, down.output
    assert volume in volumes_before
    assert up.code == 0, up.output
    assert "Nothing to do" in up.output


def test_stopped_database_is_not_started_as_a_side_effect(staging: Stack) -> None:
    staging.compose("stop", "db")

    result = staging.make("migrate")

    staging.make("up")
    assert result.code != 0
    assert "✗ The database is not running." in result.output
    assert "make up" in result.output


@pytest.mark.parametrize("name", ["postgres_password", "app_db_password"])
def test_unreadable_secret_is_named_with_its_cure(host: Stack, name: str) -> None:
    secret = host.folder / "secrets" / name
    secret.chmod(0o600)

    by_make = host.make("up")
    by_hand = host.compose("run", "--rm", "--no-deps", "tools", "python", "-m", "scripts.status")

    secret.chmod(0o444)
    assert by_make.code != 0
    assert f"chmod 0444 ./secrets/{name}" in by_make.output
    assert by_hand.code != 0
    assert f"/run/secrets/{name}" in by_hand.output
    assert "0444" in by_hand.output


def test_missing_volume_is_named(host: Stack) -> None:
    result = host.make("up", DB_VOLUME="nowhere", COMPOSE_PROJECT_NAME=f"{host.project}x", ACCEPT="new")

    run(["docker", "network", "rm", f"{host.project}x_default"])
    assert result.code != 0
    assert "docker volume create nowhere" in result.output


def test_missing_folder_is_named_and_not_made_by_root(host: Stack) -> None:
    reports = host.folder / "reports"
    reports.rename(host.folder / "elsewhere")

    result = host.compose("run", "--rm", "--no-deps", "tools", "true")

    made = reports.exists()
    (host.folder / "elsewhere").rename(reports)
    assert result.code != 0
    assert "/reports" in result.output
    assert not made


def test_missing_variables_of_staging_are_in_the_list(host: Stack) -> None:
    image = host.setting("APP_IMAGE")
    host.set(APP_IMAGE="", POSTGRES_DB="", APP_DB_USER="")

    result = host.make("up")

    host.set(APP_IMAGE=image, POSTGRES_DB="app", APP_DB_USER="app")
    assert "APP_IMAGE is missing" in result.output
    assert "POSTGRES_DB is missing" in result.output
    assert "APP_DB_USER is missing" in result.output


def test_database_outside_compose_that_is_reached_by_tls(staging: Stack) -> None:
    words = ["--network", f"{staging.project}_default", "--network-alias", "elsewhere"]
    words += ["--env", "POSTGRES_PASSWORD=word", "--env", "POSTGRES_DB=shop", POSTGRES_IMAGE, "-c", "ssl=on"]
    words += ["-c", "ssl_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem"]
    elsewhere = docker("run", "--detach", *words, "-c", "ssl_key_file=/etc/ssl/private/ssl-cert-snakeoil.key")
    environment = {
        "COMPOSE_PROFILES": "",
        "DATABASE_URL": "postgresql://postgres:word@elsewhere:5432/shop?sslmode=require",
        "DB_VOLUME": "",
        "POSTGRES_DB": "",
    }
    staging.set(COMPOSE_PROFILES="")

    migrate = staging.make("migrate", **environment)
    backup = staging.make("backup", **environment)
    restore = staging.make("restore", "BACKUP=latest", "CONFIRM=shop", **environment)
    app = staging.compose("up", "--detach", "--wait", "app", **environment)
    seen = staging.execute("app", "python", "-m", "scripts.health")

    staging.set(COMPOSE_PROFILES="db")
    docker("rm", "--force", "--volumes", elsewhere)
    staging.make("up")
    assert migrate.code == 0, migrate.output
    assert backup.code == 0, backup.output
    assert restore.code == 0, restore.output
    assert app.code == 0, app.output
    assert seen.code == 0, seen.output


# One for each way to the image.
VERBS = ("status", "migrate", "roles", "up")


@pytest.fixture(scope="module")
def registry(staging: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST of a registry that has this release as HOST/blog:1.4.6, and nothing else."""
    with serving(staging.setting("APP_IMAGE"), "blog:1.4.6", tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.mark.parametrize("words", [*(["make", verb] for verb in VERBS), ["docker", "compose", "up", "--detach", "app"]])
def test_a_mistyped_tag_is_the_registrys_answer_and_never_built(
    staging: Stack, registry: str, words: list[str]
) -> None:
    result = run(words, staging.folder, APP_IMAGE=f"{registry}/blog:1.4.6-typo")

    assert result.code != 0
    assert "manifest unknown" in result.output
    assert docker("image", "ls", "--quiet", f"{registry}/blog") == ""
    assert staging.inspect("app")["Config"]["Image"] == staging.setting("APP_IMAGE")
    assert words[0] != "make" or "To build it from this checkout: make build" in result.output


def test_a_registry_that_does_not_answer_is_named(staging: Stack) -> None:
    result = staging.make("status", APP_IMAGE="localhost:1/blog:1")

    assert result.code != 0
    assert "connection refused" in result.output
    assert docker("image", "ls", "--quiet", "localhost:1/blog") == ""


def test_a_release_is_pulled_and_is_told_from_an_image_of_this_machine(staging: Stack, registry: str) -> None:
    built, release = staging.setting("APP_IMAGE"), f"{registry}/blog:1.4.6"

    local = staging.make("status")
    pulled = staging.make("status", APP_IMAGE=release)
    again = staging.make("status", APP_IMAGE=release)

    docker("image", "rm", "--no-prune", release)
    assert f"! {built} was built on this host, from c0ffee. It comes from no registry." in local.output
    assert (pulled.code, again.code) == (0, 0), pulled.output + again.output
    assert f"Pulling {release}" in pulled.output
    assert "Pulling" not in again.output
    assert "It comes from no registry" not in pulled.output + again.output


def test_an_image_that_compose_built_in_the_place_of_a_release_is_refused(staging: Stack) -> None:
    accident = f"{staging.project}-accident:1"
    dockerfile = f"FROM {staging.setting('APP_IMAGE')}\nENV GIT_COMMIT=\n"
    words = ["docker", "build", "--quiet", "--label", f"com.docker.compose.project={staging.project}"]
    built = run([*words, "--tag", accident, "-"], stdin=dockerfile)

    result = staging.make("migrate", APP_IMAGE=accident)

    docker("image", "rm", accident)
    assert built.code == 0, built.output
    assert result.code != 0
    assert f"✗ The image {accident} is not a release." in result.output
    assert "docker compose pull app" in result.output
