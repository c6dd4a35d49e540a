"""What the pages show is what happens: each command in a fence is run, or its page says that it is an illustration."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import ROOT, Project, copy_project

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
RUN = {
    "README.md": {"make up", "make test"},  # .ci/run
    "CONTRIBUTING.md": {"make up", "make check", "make test", "make test FAULTS=1", "make test T=tests/containers"},
}
"""Commands in sh fences that `.ci/run` runs itself."""
COMPOSE = {"staging.md", "verify-staging.md"}
"""Pages whose sh fences tests/containers/test_pages.py runs."""
EXAMPLES = {"README.md", "teams.md"}
"""Pages whose commands this file runs."""
NEW = re.compile(r"(?<![0-9a-f])(?!a4b8f234fc7c|513e1095b140)[0-9a-f]{12}(?![0-9a-f])")


def fences(page: Path, language: str) -> list[tuple[str, str]]:
    """The fences of a language, each with the paragraph before it."""
    found = re.findall(rf"([^\n]*(?:\n[^\n]+)*)\n\n( *)```{language}\n(.*?)\n *```", page.read_text(), re.DOTALL)
    return [(before, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)) for before, indent, text in found]


def commands(text: str) -> list[str]:
    return [line for line in re.sub(r"\s+#.*", "", text, flags=re.MULTILINE).splitlines() if line.strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_in_a_fence_is_run_or_called_an_illustration(page: Path) -> None:
    for before, text in fences(page, "sh"):
        is_run = page.name in COMPOSE | EXAMPLES or set(commands(text)) <= RUN.get(page.name, set())
        assert is_run or "illustration" in before, text
    assert page.name in EXAMPLES or not fences(page, "console")


@pytest.fixture
def tour(new_database: Callable[..., URL], template: str, tmp_path: Path) -> Project:
    """A copy of the project at head, whose commands are typed as a reader does."""
    url = new_database(template)
    whole = url.render_as_string(hide_password=False)
    project = Project(copy_project(tmp_path), url, {"RUNTIME": "embedded", "DATABASE_URL": whole})
    project.environment["MIGRATION_DATABASE_URL"] = whole
    assert project.call("sh", "scripts/setup.sh").returncode == 0
    return project


def plain(text: str, name: str) -> list[str]:
    """Lines without what differs from run to run."""
    text = text.replace(name, "app")
    for pattern, shown in (
        (r"\d{8}(?=[T_])", "DAY"),
        (r"(?<=DAYT)\d{6}Z", "TIME"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"\d+\.\d+ s\b", "SECONDS"),
        (NEW.pattern, "REVISION"),
    ):
        text = re.sub(pattern, shown, text)
    return [line for line in text.splitlines() if not line.startswith("make: ***")]


def is_shown(shown: list[str], printed: list[str]) -> bool:
    """Whether a command printed the shown lines. `…` stands for any lines, or for the end of one."""
    if not shown:
        return not printed
    first, *rest = shown
    if first == "…":
        return any(is_shown(rest, printed[number:]) for number in range(len(printed) + 1))
    same = bool(printed) and (printed[0].startswith(first[:-1]) if first.endswith("…") else printed[0] == first)
    return same and is_shown(rest, printed[1:])


def type_console(project: Project, text: str) -> None:
    """Type each command of a console fence, and compare what it prints."""
    name = str(project.url.database)
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        done = project.call("sh", "-c", f"{command.replace('CONFIRM=app', f'CONFIRM={name}')} 2>&1")
        assert is_shown(plain(shown, name), plain(done.stdout, name)), done.stdout


@pytest.mark.faults  # a dozen commands, one after another
def test_the_tour_shows_what_happens(tour: Project) -> None:
    first, second = (text for _, text in fences(ROOT / "README.md", "console"))
    ((_, line),) = fences(ROOT / "README.md", "python")
    model = tour.path / "app" / "models" / "user.py"

    type_console(tour, first)
    model.write_text(f"{model.read_text()}{line}\n")
    type_console(tour, second)


@pytest.mark.faults
def test_the_page_about_teams_shows_what_works(tour: Project) -> None:
    merge, switch = (text for _, text in fences(ROOT / "docs" / "teams.md", "sh"))
    head = tour.version[0]
    for branch in ("posts", "pages"):
        tour.write_revision(branch, head, f"op.execute('CREATE TABLE {branch} (id integer PRIMARY KEY)')")

    for command in itertools.chain(commands(switch), commands(merge)):
        done = tour.call("sh", "-c", command.replace("CONFIRM=app", f"CONFIRM={tour.url.database}"))
        assert done.returncode == 0, done.stdout + done.stderr


SETTINGS = ROOT / "docs" / "settings.md"


def settings_page() -> str:
    """The page that .env.example makes: its comments, under what they explain."""
    intro, *blocks = re.split(r"\n\n+", (ROOT / ".env.example").read_text().strip())
    sections = [section(block) for block in blocks]
    filled = "The defaults are shown; an empty one is filled in."
    return "\n\n".join(["# Settings", words(intro), filled, *sections]) + "\n"


def section(block: str) -> str:
    """The settings of a block as a title, and its explanation."""
    lines = block.splitlines()
    is_setting = [bool(re.match(r"#?[A-Z_]+=", line)) for line in lines]
    titles = ", ".join(f"`{line.lstrip('#')}`" for line, setting in zip(lines, is_setting, strict=True) if setting)
    said = "\n".join(line for line, setting in zip(lines, is_setting, strict=True) if not setting)
    return f"## {titles}\n\n{words(said)}"


def words(comment: str) -> str:
    return re.sub(r"^# ?", "", comment, flags=re.MULTILINE)


def test_the_page_of_settings_is_that_of_the_example_file(tmp_path: Path) -> None:
    expected = settings_page()
    (tmp_path / SETTINGS.name).write_text(expected)

    assert SETTINGS.read_text() == expected, f"Do: cp {tmp_path / SETTINGS.name} {SETTINGS.relative_to(ROOT)}"
