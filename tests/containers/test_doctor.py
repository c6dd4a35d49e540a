"""`make doctor` with a Docker engine: what only the host sees."""

import json
import socket

import pytest

from tests.containers.stack import Stack, run
from tests.scripts.troubleshooting import Said, finds, read, typed

pytestmark = pytest.mark.timeout(600)


def doctor(stack: Stack, **environment: str) -> Said:
    result = stack.make("doctor", "JSON=1", **environment)
    start, end = result.output.index('{\n  "format"'), result.output.rindex("\n}") + 2
    return read(result.output[start:end], 1 if result.code else 0)


def type_in(stack: Stack, command: str) -> None:
    result = run(["sh", "-c", command], stack.folder)
    assert result.code == 0, result.output


def test_the_development_stack_is_well_and_stays_as_it_is(dev: Stack) -> None:
    assert dev.compose("up", "--detach", "--wait", "scratch").code == 0
    before = dev.everything()

    seen = doctor(dev)

    finds(seen)
    states = {check for check in seen.checks if seen.state(check) == "not checked"}
    assert states <= {"models-match", "models-imported"}, seen.checks
    assert dev.setting("DB_PORT") in seen.line("ports")
    assert f"{dev.project}_db" in seen.line("place")
    assert dev.everything() == before


def test_where_nothing_runs_the_host_says_what_is_missing(fresh: Stack) -> None:
    fresh.env_file.chmod(0o600)

    absent = doctor_of_the_host(fresh)

    finds(absent, "images")
    nowhere = doctor_of_the_host(fresh, DOCKER_HOST="unix:///nowhere")
    finds(nowhere, "engine")
    assert nowhere.state("everything-else") == "not checked"
    with socket.create_server(("127.0.0.1", int(fresh.setting("DB_PORT")))):
        finds(doctor_of_the_host(fresh), "images", "ports")
    type_in(fresh, typed("images"))
    finds(doctor(fresh))
    fresh.env_file.chmod(0o644)
    finds(doctor(fresh), "secrets")
    type_in(fresh, typed("secrets"))
    assert fresh.make("down").code == 0
    finds(doctor(fresh), "server")
    assert fresh.everything() == []


def doctor_of_the_host(stack: Stack, **environment: str) -> Said:
    """What the host finds where no container can run."""
    result = stack.make("doctor", "JSON=1", **environment)
    document = result.output[result.output.index("{") : result.output.rindex("}") + 1]
    assert json.loads(document)
    return read(document, 1 if result.code else 0)


def test_a_staging_host_is_looked_at_with_make_and_without(host: Stack) -> None:
    for words in ("up --detach --wait db scratch", "run --rm --no-deps tools python -m scripts.migrate"):
        assert host.compose(*words.split()).code == 0

    seen = doctor(host)
    alone = host.compose("run", "--rm", "--no-deps", "tools", "python", "-m", "scripts.doctor")

    finds(seen, "backups")
    assert alone.code == 1
    assert "- engine " in alone.output
    assert "✗ backups " in alone.output
    type_in(host, typed("backups"))
    type_in(host, typed("verified-backups"))
    finds(doctor(host))
    secret = host.folder / "secrets" / "postgres_password"
    secret.chmod(0o400)
    refused = doctor(host)
    secret.chmod(0o444)
    assert refused.state("secrets") == "wrong"
