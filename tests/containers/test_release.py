"""The image of a release: what builds it, and what is in it."""

import re

import pytest

from tests.containers.stack import PYTHON_IMAGE, Stack, docker, run

pytestmark = pytest.mark.timeout(600)
MEGABYTE = 1_000_000
TRUSTED = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


def test_make_build_makes_the_release_that_the_commit_says(host: Stack) -> None:
    image = f"{host.project}-release:2"
    changed = host.folder / "app/new.py"
    changed.touch()
    with_change = host.make("build", APP_IMAGE=image, **TRUSTED)
    changed.unlink()

    result = host.make("build", APP_IMAGE=image, **TRUSTED)

    commit = run(["git", "rev-parse", "HEAD"], host.folder, **TRUSTED).output.strip()
    inside = docker("run", "--rm", image, "printenv", "GIT_COMMIT")
    docker("image", "rm", "--no-prune", image)
    assert with_change.code != 0
    assert "?? app/new.py" in with_change.output
    assert "git stash" in with_change.output
    assert result.code == 0, result.output
    assert f"✓ Built {image}." in result.output
    assert inside == commit


def test_a_release_without_a_commit_is_not_built(host: Stack) -> None:
    by_make = run(
        ["make", "build"], host.folder, APP_IMAGE="nameless:1", PATH="/nowhere:/usr/bin:/bin", GIT_DIR="/nowhere"
    )
    by_hand = host.compose("build", "release", APP_IMAGE="nameless:1")

    assert by_make.code != 0
    assert "✗ git does not know the commit of this checkout." in by_make.output
    assert by_hand.code != 0
    assert "GIT_COMMIT: is empty" in by_hand.output
    assert docker("image", "ls", "--quiet", "nameless") == ""


def test_runtime_image_is_small_and_has_no_development_tools(host: Stack) -> None:
    image, base = host.setting("APP_IMAGE"), PYTHON_IMAGE
    size, base_size = (int(docker("image", "inspect", name, "--format", "{{.Size}}")) for name in (image, base))

    tools = docker("run", "--rm", image, "sh", "-c", "which git make ruff pytest mypy uv pip-compile || echo none")

    assert size - base_size < 250 * MEGABYTE
    assert tools == "none"
    assert docker("image", "inspect", image, "--format", "{{.Config.User}}") == "1000:1000"


def test_image_has_neither_env_file_nor_password_nor_history(host: Stack) -> None:
    image = host.setting("APP_IMAGE")
    host.set(POSTGRES_PASSWORD="needle-in-a-layer")
    assert host.compose("build", "release", GIT_COMMIT="c0ffee").code == 0
    host.set(POSTGRES_PASSWORD="")

    files = docker("run", "--rm", image, "find", "/srv", "-name", ".*", "!", "-name", ".gitkeep")
    layers = run(["sh", "-c", f"docker save {image} | grep -aqF needle-in-a-layer"])

    assert files == ""
    assert layers.code == 1
    assert "needle" not in docker("history", "--no-trunc", image)


def test_source_change_reinstalls_nothing(host: Stack) -> None:
    with (host.folder / "app/__init__.py").open("a") as file:
        file.write("# changed\n")

    result = host.compose("--progress", "plain", "build", "release", GIT_COMMIT="c0ffee")

    installing = re.findall(r"^(#\d+) \[.*(?:apt-get|pip) install", result.output, re.MULTILINE)
    assert len(installing) == 3
    assert [step for step in installing if f"{step} CACHED" not in result.output] == []
    assert "Collecting" not in result.output


def test_the_packages_of_the_application_are_in_the_image_and_its_debian_packages_too(host: Stack) -> None:
    package, project = host.folder / "src/blog", host.folder / "pyproject.toml"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / ".env").write_text("PASSWORD=needle\n")
    said = project.read_text()
    project.write_text(
        said.replace('packages = ["app"]', 'packages = ["app", "src/blog"]').replace("apt = []", 'apt = ["hello"]')
    )
    image = f"{host.project}-packages:1"

    result = host.compose("build", "release", GIT_COMMIT="c0ffee", APP_IMAGE=image)

    assert result.code == 0, result.output
    inside = docker("run", "--rm", image, "sh", "-c", "hello --version | head -n 1; find src app/__init__.py -type f")
    docker("image", "rm", "--no-prune", image)
    project.write_text(said)
    assert inside.splitlines()[1:] == ["src/blog/__init__.py", "app/__init__.py"]
    assert inside.startswith("hello (GNU Hello)")
