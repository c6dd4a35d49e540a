"""The image of a release: what builds it, and what is in it."""

import re
import subprocess
import tarfile
import tempfile
from contextlib import suppress

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


# The files of what is imported, of which there is no bytecode.
NOT_COMPILED = """
import sys, importlib.util, os
import logging.config, unittest.mock, {modules}
found = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
files = [file for file in found if file.endswith(".py")]
assert files
print([file for file in files if not os.path.exists(importlib.util.cache_from_source(file))])
"""


def test_no_command_of_the_image_compiles_what_it_imports(host: Stack) -> None:
    modules = NOT_COMPILED.format(modules="scripts.health, scripts.migrate, scripts.verify_staging, app.__main__")

    assert docker("run", "--rm", host.setting("APP_IMAGE"), "python", "-c", modules) == "[]"


def test_the_standard_library_is_compiled_where_the_base_image_lacks_its_bytecode(host: Stack) -> None:
    """The official image deletes it."""
    bare, compiled = f"{host.project}-bare:1", f"{host.project}-compiled:1"
    without = f"FROM {PYTHON_IMAGE}\nRUN find / -xdev -name '*.pyc' -delete\n"
    assert run(["docker", "build", "--tag", bare, "-"], stdin=without).code == 0
    words = ["--target", "python", "--build-arg", f"PYTHON_IMAGE={bare}", "--tag", compiled]

    result = run(["docker", "build", *words, "."], host.folder)

    assert result.code == 0, result.output
    code = NOT_COMPILED.format(modules="argparse")
    before, after = (docker("run", "--rm", "--user=1000", name, "python", "-c", code) for name in (bare, compiled))
    docker("image", "rm", bare, compiled)
    assert "argparse.py" in before
    assert after == "[]"


SECRET = [f"app/{name}" for name in (".env", ".env.local", "prod.env", "id_rsa", "tls.pem", "tls.key", ".git/config")]
SECRET += [
    "alembic/.env.production",
    "scripts/.pgpass",
    "tests/staging/.netrc",
    "app/node_modules/left.js",
    ".env.local",
]


def files_with(needle: bytes, image: str) -> set[str]:
    """The files of all layers with this text: also of those that a later layer removes."""
    found = set[str]()
    with tempfile.TemporaryFile() as saved:
        subprocess.run(["docker", "save", image], stdout=saved, check=True)
        saved.seek(0)
        with tarfile.open(fileobj=saved) as layers:
            for layer in filter(tarfile.TarInfo.isfile, layers):
                with suppress(tarfile.ReadError), tarfile.open(fileobj=layers.extractfile(layer)) as tar:
                    small = (one for one in tar if one.isfile() and one.size < 100_000)
                    found |= {one.name for one in small if needle in getattr(tar.extractfile(one), "read", bytes)()}
    return found


def test_image_has_neither_env_file_nor_password_nor_history(host: Stack) -> None:
    image = host.setting("APP_IMAGE")
    made = [host.folder / name for name in [*SECRET, "app/public.py"]]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# needle-in-a-layer\n")
    host.set(POSTGRES_PASSWORD="needle-in-a-layer")
    result = host.compose("build", "release", GIT_COMMIT="c0ffee")
    host.set(POSTGRES_PASSWORD="")
    for path in made:
        path.unlink()

    files = docker("run", "--rm", image, "find", "/srv", "-name", ".*", "!", "-name", ".gitkeep")

    assert result.code == 0, result.output
    assert files == ""
    assert files_with(b"needle-in-a-layer", image) == {"srv/app/public.py"}
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
    project, options = host.folder / "pyproject.toml", host.folder / "alembic.ini"
    for module in ("src/blog/__init__.py", "my-shop/src/my_shop/__init__.py", "libs/acme/words/text.py", "more/x.py"):
        (host.folder / module).parent.mkdir(parents=True, exist_ok=True)
        (host.folder / module).touch()
    (host.folder / "src/blog/.env").write_text("PASSWORD=needle\n")
    said, configured = project.read_text(), options.read_text()
    packages = 'packages = ["app", "src/blog", "my-shop/src/my_shop", "libs/acme"]'
    project.write_text(said.replace('packages = ["app"]', packages).replace("apt = []", 'apt = ["hello"]'))
    options.write_text(configured.replace("[alembic]\n", "[alembic]\nversion_locations = alembic/versions:more\n"))
    image = f"{host.project}-packages:1"

    result = host.compose("build", "release", GIT_COMMIT="c0ffee", APP_IMAGE=image)

    assert result.code == 0, result.output
    code = "from scripts.core import application as a; a.extend_search_path(); import blog, my_shop, acme.words.text"
    found = f"hello --version | head -n 1; find src more app/__init__.py -type f ! -name '*.pyc'; python -c '{code}'"
    inside = docker("run", "--rm", image, "sh", "-c", found)
    docker("image", "rm", "--no-prune", image)
    project.write_text(said)
    options.write_text(configured)
    assert inside.splitlines()[1:] == ["src/blog/__init__.py", "more/x.py", "app/__init__.py"]
    assert inside.startswith("hello (GNU Hello)")
