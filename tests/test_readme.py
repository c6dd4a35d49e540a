"""README.md, and the pages that it sends on to, say what is so."""

import json
import os
import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from scripts.core.application import Declaration
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
GENERATED = ("safe-migrations", "settings")
FILES = [
    path for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))) if path.stem not in GENERATED
]
PAGES = "\n".join(path.read_text() for path in FILES)
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)
VARIABLES = set(re.findall(r"^export (.+)", MAKEFILE, re.MULTILINE)[0].split())

# What is made by a command, or by the reader, and is not in a fresh checkout.
MADE_LATER = re.compile(
    r"\.env|docker-compose\.override\.yml|\.venv/?|\.postgres/?|secrets/?|backups/?|reports/?|tests/app/|tests/staging/"
)


def between(name: str, page: str = README) -> str:
    """What stands between <!-- name --> and <!-- /name -->."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", page, re.DOTALL)
    assert found, f"The page has no <!-- {name} -->"
    return found[1]


def plain(text: str) -> list[str]:
    """The lines without spaces at their ends and without empty lines around them."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n").splitlines()


def in_backticks() -> list[str]:
    prose = re.sub(r"^```.*?^```", "", PAGES, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def make_lines() -> list[tuple[str, str]]:
    """Target and the rest of every `make …` in the page, options in brackets and comments left out."""
    code = re.findall(r"^ *(make .*)", PAGES, re.MULTILINE) + [c for c in in_backticks() if c.startswith("make ")]
    lines = [re.sub(r"\s+#.*|\s\s+.*", "", line) for line in code]
    return [(line.split()[1], line) for line in lines]


def paths() -> list[str]:
    """Everything in backticks that is written like a path of this checkout."""
    words = {word for word in in_backticks() if re.fullmatch(r"[\w.-]*[/.][\w./*-]*", word)}
    first = {path.name for path in ROOT.iterdir()}
    return sorted(word for word in words if word.split("/")[0] in first or word.endswith((".py", ".sh", ".yml", "/")))


def test_the_set_up_is_two_commands() -> None:
    fence = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
    assert fence

    commands = [re.sub(r"\s*#.*", "", line) for line in fence[1].splitlines()]

    assert commands == ["make up", "make test"]


def test_the_menu_is_what_make_prints() -> None:
    menu = re.fullmatch(r"```text\n(.*)```", between("menu"), re.DOTALL)
    assert menu

    printed = subprocess.run(
        ["make"], cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
    )

    assert plain(menu[1]) == plain(printed.stdout)


def test_every_target_that_is_named_exists_and_takes_the_variables_given_to_it() -> None:
    lines = make_lines()

    assert len(lines) > 25
    for target, line in lines:
        assert target in TARGETS, line
        assert set(re.findall(r"\b([A-Za-z]+)=", re.sub(r'".*?"', "", line))) <= VARIABLES, line


@pytest.mark.parametrize("path", paths())
def test_every_path_that_is_named_exists(path: str) -> None:
    assert MADE_LATER.match(path) or list(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("page", FILES, ids=lambda path: path.stem)
def test_every_link_leads_to_a_page(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"-m scripts\.(\w+)", PAGES))))
def test_every_script_that_is_named_exists(verb: str) -> None:
    assert (ROOT / "scripts" / f"{verb}.py").is_file()


def test_every_top_level_file_of_the_map_exists() -> None:
    map_ = re.search(r"## The map\n+```text\n(.*?)```", README, re.DOTALL)
    assert map_

    named = re.findall(r"^([\w.-]+(?:/[\w.-]+)*/?)\s", map_[1], re.MULTILINE)

    assert len(named) >= 5
    for path in named:
        assert (ROOT / path).exists(), path


def shown(default: object) -> str:
    """A default as the table has it."""
    if default == ("app.models:Base.metadata",):
        return f"`{default[0]}`"
    return "none" if default == "" else f"`{json.dumps(default)}`" if isinstance(default, tuple) else f"`{default}`"


def test_the_keys_of_the_application_are_those_that_are_read() -> None:
    page = (ROOT / "docs" / "adopt.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", between("tool.app", page), re.MULTILINE)

    assert dict(rows) == {field.name: shown(field.default) for field in fields(Declaration)}


def test_the_scripts_know_the_application_by_its_declaration_only() -> None:
    files = [*ROOT.glob("scripts/**/*.py"), ROOT / "alembic" / "env.py"]

    assert not [path for path in files if re.search(r"^(from|import) app\b|\"app\.models\"", path.read_text(), re.M)]


def test_the_tools_print_the_errors_that_are_explained() -> None:
    _, _, table = (ROOT / "docs" / "troubleshooting.md").read_text().partition("| you see |")
    errors = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    source = "".join(path.read_text() for path in (ROOT / "scripts").rglob("*.*") if path.suffix in (".py", ".sh"))
    source = re.sub(r'"\s+f?"', "", source)

    assert len(errors) >= 2
    for error in errors:
        for piece in re.split(r"…|\d+", error):
            assert piece.strip(" .:") in source, error


def test_the_page_is_short() -> None:
    assert len(README.splitlines()) <= 150
