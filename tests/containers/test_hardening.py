"""What each container may do."""

import json

import pytest

from tests.containers.stack import APP_PASSWORD, PASSWORD, Stack, docker

pytestmark = pytest.mark.timeout(600)
SERVICES = ("db", "app", "scratch")


@pytest.fixture
def all_up(dev: Stack) -> Stack:
    assert dev.compose("up", "--detach", "--wait", "scratch").code == 0
    return dev


@pytest.mark.parametrize("service", SERVICES)
def test_container_is_hardened(all_up: Stack, service: str) -> None:
    host = all_up.inspect(service)["HostConfig"]

    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] is None
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert host["PidsLimit"] == 2048
    assert bool(host["Memory"]) == (service != "db")
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}


@pytest.mark.parametrize("service", SERVICES)
def test_processes_have_no_capability_and_are_not_root(all_up: Stack, service: str) -> None:
    facts = all_up.execute(service, "grep", "-hE", "^(Uid|CapEff|CapBnd|NoNewPrivs)", "/proc/1/status").output.split()

    assert facts[facts.index("CapEff:") + 1] == "0000000000000000"
    assert facts[facts.index("CapBnd:") + 1] == "0000000000000000"
    assert facts[facts.index("NoNewPrivs:") + 1] == "1"
    assert facts[facts.index("Uid:") + 1] != "0"


def test_tools_is_hardened_like_app(dev: Stack) -> None:
    services = json.loads(dev.compose("--profile", "tools", "config", "--format", "json").output)["services"]
    same = (
        "cap_drop",
        "environment",
        "image",
        "init",
        "logging",
        "mem_limit",
        "pids_limit",
        "read_only",
        "security_opt",
        "tmpfs",
        "user",
        "volumes",
    )

    assert services["tools"]["environment"].pop("RUN_BY") is not None
    assert {key: services["tools"][key] for key in same} == {key: services["app"][key] for key in same}


def test_only_the_database_is_published_and_only_on_this_machine(all_up: Stack) -> None:
    bindings = {name: all_up.inspect(name)["HostConfig"]["PortBindings"] for name in SERVICES}

    assert bindings["db"] == {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": all_up.setting("DB_PORT")}]}
    assert not bindings["app"]
    assert not bindings["scratch"]


def test_scratch_has_no_way_out_and_cannot_reach_the_database(all_up: Stack) -> None:
    networks = all_up.inspect("db")["NetworkSettings"]["Networks"]
    address = networks[f"{all_up.project}_default"]["IPAddress"]

    routes = all_up.execute("scratch", "cat", "/proc/net/route").output.splitlines()[1:]
    knock = all_up.execute("scratch", "timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{address}/5432")
    name = all_up.execute("scratch", "getent", "hosts", "db")

    assert all(route.split()[1] != "00000000" for route in routes)
    assert knock.code != 0
    assert name.code != 0


def test_scratch_keeps_nothing_on_disk(all_up: Stack) -> None:
    found = all_up.inspect("scratch")

    assert found["Mounts"] == []
    assert found["HostConfig"]["Tmpfs"]["/var/lib/postgresql/data"] == "size=4g"
    assert "/var/lib/postgresql/wal" in found["HostConfig"]["Tmpfs"]


@pytest.mark.parametrize(("service", "number"), [("db", 2), ("app", 3)])
def test_files_of_the_checkout_have_the_label_that_selinux_shares(all_up: Stack, service: str, number: int) -> None:
    """Compose sets none in the long form. A label on /dev/null would change the host's device."""
    binds = all_up.inspect(service)["HostConfig"]["Binds"]

    assert [bind.rpartition(":")[2].split(",")[-1] for bind in binds] == ["z"] * number
    assert not any("/dev/null" in bind for bind in binds)


def test_password_is_in_no_process_list_and_no_log(all_up: Stack) -> None:
    assert all_up.make("migrate").code == 0

    seen = [docker("top", all_up.container(name), "-eo", "pid,args") for name in SERVICES]
    seen += [all_up.compose("--profile", "*", "logs").output]

    assert not any(password in text for text in seen for password in (PASSWORD, APP_PASSWORD))


def test_app_is_healthy_with_a_revision_that_it_does_not_know(dev: Stack) -> None:
    newest = dev.sql("SELECT version_num FROM alembic_version").strip()
    dev.sql("UPDATE alembic_version SET version_num = 'ffffffffffff'")

    health = dev.execute("app", *healthcheck(dev))

    dev.sql(f"UPDATE alembic_version SET version_num = '{newest}'")
    assert health.code == 0, health.output


def test_app_is_unhealthy_when_the_database_is_behind(dev: Stack) -> None:
    newest = dev.sql("DELETE FROM alembic_version RETURNING version_num").strip()

    health = dev.execute("app", *healthcheck(dev))

    dev.sql(f"INSERT INTO alembic_version VALUES ('{newest}')")
    assert health.code == 1
    assert "unhealthy" in health.output


def healthcheck(stack: Stack) -> list[str]:
    words: list[str] = stack.inspect("app")["Config"]["Healthcheck"]["Test"]
    return words[1:]


def test_a_transaction_may_lock_many_thousand_tables(all_up: Stack) -> None:
    words = {name: all_up.inspect(name)["Config"]["Cmd"] for name in ("db", "scratch")}

    assert all("max_locks_per_transaction=1024" in found for found in words.values())
    assert all_up.sql("SHOW max_locks_per_transaction").strip() == "1024"
