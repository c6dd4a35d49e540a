"""The map in README and the rules behind it. What a new file must bring along is said by what fails here."""

import ast
import fnmatch
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from mypy.build import default_data_dir
from mypy.fscache import FileSystemCache
from mypy.main import process_options
from mypy.modulefinder import FindModuleCache, compute_search_paths

from tests.conftest import ROOT, copy_project

MAKEFILE = (ROOT / "Makefile").read_text()
SHELL = sorted([*(ROOT / "scripts").glob("*.sh"), *(ROOT / "scripts" / "runtimes").glob("*.sh")])
RECIPES_AND_SHELL = MAKEFILE + "".join(path.read_text() for path in SHELL)
VERBS = sorted(path.stem for path in (ROOT / "scripts").glob("[!_]*.py"))
CORE = sorted((ROOT / "scripts" / "core").rglob("*.py"))
CODE = sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])
# What a user adds is in docker-compose.override.yml.
COMPOSE = sorted({*ROOT.glob("docker-compose*.yml")} - {ROOT / "docker-compose.override.yml"})


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


def offending(paths: Iterable[Path], found: Callable[[Path], Iterable[object]]) -> dict[str, list[object]]:
    """What breaks a rule, by the name of its file."""
    return {name(path): wrong for path in paths if (wrong := list(found(path)))}


@cache
def imports(path: Path) -> set[str]:
    """Dotted names of everything that a file imports: `from a import b` gives a and a.b."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@cache
def calls(path: Path) -> set[str]:
    """Everything that a file calls, as it is written there: print, sys.exit ..."""
    return {ast.unparse(node.func) for node in nodes(path) if isinstance(node, ast.Call)}


# Verbs


RUN = set(re.findall(r"-m scripts\.(\w+)", RECIPES_AND_SHELL))


def test_every_script_is_run_by_make_and_has_a_test_file() -> None:
    assert set(VERBS) == RUN
    assert [verb for verb in VERBS if not (ROOT / "tests" / "scripts" / f"test_{verb}.py").is_file()] == []


def test_every_test_file_of_a_script_has_its_script() -> None:
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("scripts/test_*.py")}

    assert tested <= {*VERBS, *(shell.stem for shell in SHELL)}


def test_every_test_file_of_core_lies_in_a_room() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests" / "core").rglob("test_*.py")}

    assert [str(folder) for folder in folders if not (ROOT / "scripts" / folder).is_dir()] == []


# Imports flow down


def test_core_imports_no_verb() -> None:
    verb = re.compile(r"scripts\.(?!core\b)\w+.*")

    assert offending(CORE, lambda path: filter(verb.fullmatch, imports(path))) == {}


ROOMS = [
    {"the ground"},
    {"postgres"},
    {"schema", "rows", "revisions", "cli"},
    {"backups", "reports"},
    {"migrate"},
    {"plan"},
    {"models"},
    {"rollback", "verification", "diagram"},
    {"doctor", "adopt"},
]
"""Of scripts/core/, from the bottom to the top. The ground is the files beside the rooms."""


def room(path: str) -> str:
    """The room of a file, or of what is imported from it, as in postgres/sql.py or postgres.sql.name."""
    first = re.split(r"[/.]", path)[0]
    return first if any(first in step for step in ROOMS) else "the ground"


def step(of: str) -> int:
    return next(number for number, rooms in enumerate(ROOMS) if of in rooms)


def not_below(path: Path) -> Iterator[str]:
    """The rooms that a file may not import from, and does."""
    own = room(str(path.relative_to(ROOT / "scripts" / "core")))
    others = {room(found.removeprefix("scripts.core.")) for found in imports(path) if found.startswith("scripts.core.")}
    return (other for other in others - {own} if step(other) >= step(own))


def test_a_room_imports_only_from_rooms_below_it() -> None:
    assert offending(CORE, not_below) == {}


def test_every_folder_of_core_is_a_room() -> None:
    folders = {path.name for path in (ROOT / "scripts" / "core").iterdir() if path.is_dir()} - {"__pycache__"}

    assert folders == set.union(*ROOMS) - {"the ground", "diagram"}


def test_the_map_in_readme_shows_the_rooms() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^  ([\w/.]+(?: [\w/.]+)*)  ", readme[readme.index("\nscripts/core/ ") :], re.MULTILINE)

    assert [{room(found) for found in row.split()} for row in rows] == ROOMS[1:]


def test_the_picture_shows_the_rooms() -> None:
    picture = re.search(r"```mermaid\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text(), re.DOTALL)
    assert picture
    drawn = [re.findall(r"^        (\w+)", part, re.MULTILINE) for part in picture[1].split("subgraph")[1:]]
    arrows = re.findall(r"step\d", picture[1].splitlines()[-1])

    assert [{found.replace("ground", "the ground") for found in step} for step in reversed(drawn)] == ROOMS
    assert arrows == [f"step{number}" for number in range(len(ROOMS), 0, -1)]


def test_the_application_knows_nothing_of_scripts() -> None:
    ours = re.compile(r"(scripts|tests)\b.*")

    assert offending((ROOT / "app").rglob("*.py"), lambda path: filter(ours.fullmatch, imports(path))) == {}


# Each outside thing has one door

DOORS = [
    ("subprocess", r"subprocess\b.*|os\.(exec|spawn|posix_spawn|popen|system).*|pty\b.*", ["core/subprocesses.py"]),
    ("forks", r"os\.fork.*|multiprocessing\.Process", ["core/children.py"]),
    (
        "engines",
        r"(sqlalchemy\.|sa\.)?(create_engine|engine_from_config)",
        ["core/postgres/connections.py", "app/database.py"],
    ),
    ("the driver", r"psycopg2?\b.*", ["core/postgres/connections.py", "core/postgres/driver.py"]),
    ("printing", r"print|sys\.std(out|err)\.write", ["core/cli/console.py", "app/health.py"]),
    ("bringing files onto the disk", r"os\.f(data)?sync", ["core/durable_files.py"]),
    ("asking", r"input|getpass\b.*", ["core/cli/console.py"]),
    ("command lines", r"argparse(?!\.Namespace$)\b.+|.*ArgumentParser", ["core/cli/entry_point.py"]),
]


@pytest.mark.parametrize(("thing", "pattern", "doors"), DOORS, ids=[door[0] for door in DOORS])
def test_each_outside_thing_has_one_door(thing: str, pattern: str, doors: list[str]) -> None:
    elsewhere = [path for path in CODE if not name(path).endswith(tuple(doors))]
    through = re.compile(pattern)

    found = offending(elsewhere, lambda path: filter(through.fullmatch, imports(path) | calls(path)))
    assert found == {}, f"{thing}: only in {', '.join(doors)}"


def written(path: Path) -> set[str]:
    """Return the names of attributes and the strings of a file, without docstrings."""
    found = list(nodes(path))
    docstrings = {id(node.value) for node in found if isinstance(node, ast.Expr)}
    strings = {node.value for node in found if isinstance(node, ast.Constant) and id(node) not in docstrings}
    attributes = {node.attr for node in found if isinstance(node, ast.Attribute)}
    return attributes | {found for found in strings if isinstance(found, str)}


KNOWLEDGE = [
    ("the driver's session", r"(dbapi|driver)_connection", "core/postgres/driver.py"),
    ("the driver's cursors", r"cursor", "core/postgres/driver.py"),
    ("raw SQL", r"exec_driver_sql", "core/postgres/sql.py"),
    ("the driver's %", r"%%", "core/postgres/sql.py"),
    ("lock modes", r".*\b(Access|Row|Share|Update|Exclusive)+Lock\b.*", "core/postgres/lock_modes.py"),
    ("our own tables", r".*\b(alembic_version|migration_(log(_id_seq)?|source))\b.*", "core/postgres/own_tables.py"),
    ("the user's tables", r".*(\^pg_|\binformation_schema\b|\b16384\b).*", "core/postgres/user_tables.py"),
    ("SQLSTATEs", r"pgcode|sqlstate|(?=.*\d)[0-9A-Z]{5}", "core/sqlstates.py"),
]


@pytest.mark.parametrize(("thing", "pattern", "place"), KNOWLEDGE, ids=[one[0] for one in KNOWLEDGE])
def test_each_piece_of_knowledge_has_one_place(thing: str, pattern: str, place: str) -> None:
    elsewhere = [path for path in CODE if not name(path).endswith(place)]
    known = re.compile(pattern, re.DOTALL)

    assert list(filter(known.fullmatch, written(ROOT / "scripts" / place)))
    found = offending(elsewhere, lambda path: filter(known.fullmatch, written(path)))
    assert found == {}, f"{thing}: only in {place}"


READS_THE_ENVIRONMENT = {
    "app/settings.py": "the settings of the application",
    "scripts/core/variables.py": "the settings",
    "scripts/core/settings.py": "whether Compose names the address",
    "scripts/core/application.py": "PATH and PYTHONPATH, for programs of this Python",
    "scripts/core/overrides.py": "ACCEPT and CONFIRM, which are words of one command",
    "scripts/core/cli/console.py": "NO_COLOR and LOG_DIR, before there are settings",
    "scripts/core/subprocesses.py": "what a program is given",
    "scripts/core/child_process.py": "what a child is given",
    "scripts/core/user_code.py": "what the user's code may not change",
    "scripts/core/variables_read.py": "what the models read",
    "scripts/core/adopt/recording.py": "what the code of another project looks at",
    "scripts/core/revisions/migration_log.py": "RUN_BY, which says who started this container",
    "scripts/shell.py": "SHELL and PATH, for the user's shell",
    "scripts/core/migrate/timeouts.py": "PGOPTIONS, for connections that a revision opens",
}


def test_the_environment_is_read_in_few_files() -> None:
    """What reads it by itself has other settings than the command that it is a part of."""
    reads = {name(path) for path in CODE for node in nodes(path) if re.match(r"os\.(environ|getenv)\b", unparsed(node))}

    assert reads == set(READS_THE_ENVIRONMENT)


def test_settings_are_read_once_by_a_command() -> None:
    """Core is given them. Only what Alembic starts by itself has to read them there."""
    loading = {
        name(path): sum(unparsed(node) == "settings.load()" for node in nodes(path))
        for path in CODE
        if path.is_relative_to(ROOT / "scripts")
    }

    read = {Path(path).name for path, count in loading.items() if count and "/core/" in path}
    assert read == {"runner.py", "unnamed.py"}
    assert not {path for path, count in loading.items() if count > 1}


def test_the_request_to_alembic_is_one_object() -> None:
    keys = {
        ast.unparse(node.slice) if isinstance(node, ast.Subscript) else ast.unparse(node)
        for path in CODE
        for node in nodes(path)
        if re.search(r"config\.attributes(\[|\.)\S+$", unparsed(node)) and isinstance(node, ast.Subscript | ast.Call)
    }

    assert keys == {"ATTRIBUTE", "context.config.attributes.get(ATTRIBUTE)"}


def unparsed(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.Attribute | ast.Call | ast.Subscript) else ""


SQL = re.compile(
    r"\s*\(?(SELECT|WITH|INSERT INTO|UPDATE|DELETE FROM|ALTER|DROP|CREATE|GRANT|REVOKE|COMMENT ON|TRUNCATE|LOCK TABLE"
    r"|COPY|SET(?! up)|RESET|SAVEPOINT|VACUUM|ANALYZE)\s"
)
NO_NAMES_OF_OTHERS = (
    *("core/plan/advice.py", "core/plan/batches.py", "core/plan/constraint_advice.py"),
    *("core/plan/hazards/", "core/schema/catalogs/"),
)
"""Advice is shown to people and not executed; the others put together what stands in their own source."""


def formatted(path: Path) -> Iterator[ast.JoinedStr]:
    """The f-strings of a file's functions, without what an error tells people to type. Constants of a module are put
    together before any row or message is there.
    """
    found = list(nodes(path))
    advice = {
        id(inner)
        for node in found
        if isinstance(node, ast.keyword) and node.arg in ("why", "do", "state")
        for inner in ast.walk(node)
    }
    for function in (node for node in found if isinstance(node, ast.FunctionDef)):
        yield from (node for node in ast.walk(function) if isinstance(node, ast.JoinedStr) and id(node) not in advice)


def sql_put_together(path: Path) -> Iterator[str]:
    heads = [found.values[0] for found in formatted(path) if found.values]
    yield from (str(one.value) for one in heads if isinstance(one, ast.Constant) and SQL.match(str(one.value)))
    yield from (found for found in calls(path) if found.endswith("identifier_preparer.quote"))


def test_sql_is_put_together_in_one_place() -> None:
    """An f-string takes any text: a name that was not quoted, or a message with a row in it."""
    places = ("core/postgres/sql.py", *NO_NAMES_OF_OTHERS)

    assert offending((path for path in CODE if not any(part in name(path) for part in places)), sql_put_together) == {}


def exits(path: Path) -> Iterator[str]:
    raised = {ast.unparse(node.exc) for node in nodes(path) if isinstance(node, ast.Raise) and node.exc}
    yield from (found for found in calls(path) if re.fullmatch(r"(sys\.)?exit|quit|os\._exit|os\.abort", found))
    yield from (found for found in raised if "SystemExit" in found)


def test_core_never_exits() -> None:
    assert offending(CORE, exits) == {}


# Words

RETIRED = {"mark", "tries", "patience", "beside", "give_back", "kept", "lost", "told", "mend", "anew"}
"""They were this project's own dialect. The field has words for what they named."""


def identifiers(path: Path) -> Iterator[str]:
    """The names that a file gives to something. What another package named (`pytest.mark`) is not among them."""
    for node in nodes(path):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.rpartition(".")[2]


def test_no_retired_word_names_anything() -> None:
    paths = [*CODE, *sorted((ROOT / "tests").rglob("*.py"))]

    named = offending(paths, lambda path: (one for one in identifiers(path) if one.lower().strip("_") in RETIRED))
    assert named == {}
    assert RETIRED.isdisjoint(path.stem for path in paths)


def test_no_retired_word_names_a_variable_or_a_function_of_the_shell() -> None:
    given = re.compile(rf"^\s*({'|'.join(RETIRED)})(?==|\(\))", re.MULTILINE)

    assert offending(SHELL, lambda path: given.findall(path.read_text())) == {}


def test_texts_speak_of_the_tool_the_database_or_you() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / ".env.example", *COMPOSE, *dockerfiles()[:1]]
    account = re.compile(r'getpwnam\("nobody"\)')
    vague = re.compile(r"\b(nobody|somebody|everybody|anybody|whoever|anew|mend|knowing it)\b", re.IGNORECASE)

    assert offending([*pages, *SHELL, *CODE], lambda path: vague.findall(account.sub("", path.read_text()))) == {}


def test_a_docstring_says_what_a_function_does_as_a_command() -> None:
    third_person = re.compile(r"\b(?:Returns|Raises|Yields) \w+")

    def found(path: Path) -> list[str]:
        functions = [node for node in nodes(path) if isinstance(node, ast.FunctionDef)]
        return third_person.findall("\n".join(ast.get_docstring(node) or "" for node in functions))

    assert offending(CODE, found) == {}


def classes(path: Path) -> Iterator[str]:
    """The classes and the named types of a file."""
    for node in nodes(path):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named = node.targets[0].id
            if re.match(r"[A-Z]\w*[a-z]", named) and not ast.unparse(node.value).startswith("TypeVar("):
                yield named


def test_a_class_has_a_name_of_its_own() -> None:
    """Two classes with one name are taken for each other: by who reads a signature, and by who searches."""
    files: dict[str, list[str]] = {}
    for path in CODE:
        for found in set(classes(path)):
            files.setdefault(found, []).append(name(path))

    assert not {found: where for found, where in files.items() if len(where) > 1}


# Sizes


def long_functions(path: Path) -> Iterator[str]:
    functions = (node for node in nodes(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return (found.name for found in functions if (found.end_lineno or 0) - found.lineno + 1 > 45)


def test_core_is_made_of_small_files_and_functions() -> None:
    assert [name(path) for path in CORE if len(path.read_text().splitlines()) > 250] == []
    assert offending(CORE, long_functions) == {}


# Our folder alembic/ and the package of that name


def test_a_package_in_the_place_of_alembic_stops_the_tests_with_the_reason(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    (project / "alembic" / "__init__.py").touch()

    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "tests/test_layout.py", "-k", "alembic"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode != 0
    assert "alembic/__init__.py" in result.stdout + result.stderr
    assert "shadows the installed package" in result.stdout + result.stderr


def test_there_is_no_package_in_the_place_of_alembic() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists(), "it shadows the installed package: import alembic fails"


def test_the_type_checker_takes_import_alembic_for_the_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sources, options = process_options([])
    search = FindModuleCache(compute_search_paths(sources, options, default_data_dir()), FileSystemCache(), options)

    for module, file in (("alembic", "__init__.py"), ("alembic.command", "command.py")):
        found = search.find_module(module)
        assert isinstance(found, str), found
        assert found.endswith(f"-packages/alembic/{file}")


# Settings


def documented() -> set[str]:
    """Names in .env.example, those of commented lines too."""
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


SETTINGS = ("settings", "limits", "database_url")


def read_by_python() -> set[str]:
    """Names in Python: every string in these files that is written like one."""
    files = [ROOT / "app" / "settings.py", *(ROOT / "scripts" / "core" / f"{one}.py" for one in SETTINGS)]
    strings = {node.value for path in files for node in nodes(path) if isinstance(node, ast.Constant)}
    return {str(found) for found in strings if re.fullmatch(r"[A-Z][A-Z_]{2,}", str(found))}


def read_by_compose() -> set[str]:
    """Names that the Compose files put into a value, or hand on without one."""
    text = "".join(path.read_text() for path in COMPOSE)
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text)) | set(re.findall(r"^ +([A-Z_]+): *$", text, re.MULTILINE))


def given_by_compose() -> set[str]:
    """Names that the Compose files give a value of their own to."""
    return set(re.findall(r"^ +([A-Z_]+): +[^!\s]", "".join(path.read_text() for path in COMPOSE), re.MULTILINE))


def read_by_shell() -> set[str]:
    """Names that the shell scripts take out of the environment or .env."""
    text = "".join(re.sub(r"^\s*#.*", "", path.read_text(), flags=re.MULTILINE) for path in SHELL)
    read = re.findall(r"\$\{?([A-Z][A-Z_]+)|\bsetting ([A-Z_]+)|s/\^([A-Z_]+)=", text)
    return {found for groups in read for found in groups if found}


BY_COMPOSE_ITSELF = {"COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES", "COMPOSE_FILE"}
NO_SETTINGS = {
    "PGPASSFILE": "libpq's",
    "PGSERVICEFILE": "libpq's",
    "PGSYSCONFDIR": "libpq's",
    "HOME": "the shell's",
    "PATH": "the shell's",
    "PPID": "the shell's",
    "PWD": "the shell's",
    "SHELL": "the shell's",
    "TMPDIR": "the system's",
    "USER": "the shell's",
    "SUDO_USER": "sudo's",
    "RUN_BY": "made by the shell scripts, for the migration log",
    "ONE_STREAM": "made by the shell scripts, for a container",
    "SUPERUSER_PASSWORD": "made for what a superuser restores or creates",
    "MAKELEVEL": "make's",
    "GIT_COMMIT": "asked of git when an image is built",
    "APP_DECLARATION": "made by the docker runtime from pyproject.toml",
    "GIT_FOLDER": "found by the docker runtime, for a git worktree",
    "CHECKOUT_MODE": "set by the docker runtime, for commands that write in the checkout",
}
MAKE_VARIABLES = set(re.findall(r"^export (.+)", MAKEFILE, re.MULTILINE)[0].split())


def test_every_setting_in_env_example_is_read() -> None:
    read = read_by_python() | read_by_compose() | read_by_shell() | BY_COMPOSE_ITSELF

    assert documented() - read == set()


def test_every_setting_that_is_read_is_in_env_example() -> None:
    read = read_by_python() | read_by_compose() | read_by_shell()
    known = documented() | given_by_compose() | set(NO_SETTINGS) | MAKE_VARIABLES

    assert {one for one in read - known if one.removesuffix("_FILE") not in documented()} == set()


# Make

TARGETS = re.findall(r"^([a-z][a-z-]*):(?!=)(.*)", MAKEFILE, re.MULTILINE)

NEWER_THAN_3_81 = {
    r"^\.(ONESHELL|SHELLFLAGS|RECIPEPREFIX|EXTRA_PREREQS|NOTINTERMEDIATE|WAIT)\b": ".ONESHELL:",
    r"^\s*(override\s+|export\s+)*undefine\b": "undefine m",
    r"^\s*(override\s+)?define\s+\S+\s*[:+?]?=": "define m =",
    r"^\s*[-]?load\s": "-load plugin.so",
    r"\bprivate\s+\S+\s*[:+?]?=": "test: private m = x",
    r"^\s*(override\s+export|export\s+override)\b": "override export m := x",
    r"^[^\t#]*[^$\s]\s*!=": "date != date",
    r"^[^\t#]*:::?=": "m ::= x",
    r"^[^\t#]*&:": "a b &: c",
    r"\$[({](file|let|intcmp|guile)\s": "$(file >x,y)",
    r"\.(SHELLSTATUS|LOADED)\b|\bMAKE_(TERMOUT|TERMERR|HOST)\b": "$(.SHELLSTATUS)",
    r"--(eval|trace|output-sync|shuffle|jobserver-style)\b": "make --eval x",
}


@pytest.mark.parametrize(("pattern", "example"), NEWER_THAN_3_81.items(), ids=NEWER_THAN_3_81.values())
def test_the_makefile_needs_nothing_newer_than_make_3_81(pattern: str, example: str) -> None:
    assert re.search(pattern, example, re.MULTILINE), "the rule would not notice it"
    assert not re.search(pattern, MAKEFILE, re.MULTILINE), f"macOS ships make 3.81, which does not know: {example}"


def test_the_makefile_reads_no_env() -> None:
    """Make, sh and Compose quote differently: a password with $ or # would be another one for each."""
    assert not re.search(r"^\s*[-s]?include\b", MAKEFILE, re.MULTILINE)


def test_every_target_is_phony_and_says_what_it_does() -> None:
    """Our folders are called app and alembic: make would find them up to date."""
    phony = re.search(r"^\.PHONY:((?:\\\n|.)*)", MAKEFILE, re.MULTILINE)

    assert phony
    assert {target for target, _ in TARGETS} - set(phony[1].split()) == set()
    assert [target for target, rest in TARGETS if not re.search(r"## [A-Z]", rest)] == [], "no text for the menu"


def test_no_recipe_is_longer_than_five_lines() -> None:
    longest = max(len(re.findall(r"^\t", recipe, re.MULTILINE)) for recipe in re.split(r"^\S", MAKEFILE, flags=re.M))

    assert 1 <= longest <= 5


def test_what_a_recipe_reads_arrives_literally() -> None:
    """As in `override m := $(value m)` and `export m`: any other way runs what a user wrote into a message."""
    read = set(re.findall(r"\$\$\{?(\w+)", MAKEFILE))

    assert [one for one in read if f"override {one} := $(value {one})\n" not in MAKEFILE] == []
    assert read - MAKE_VARIABLES == set()


def test_make_itself_expands_nothing_of_a_user() -> None:
    code = re.sub(r"^#.*", "", MAKEFILE, flags=re.MULTILINE)

    assert set(re.findall(r"(?<!\$)\$[({]?(\w+)", code)) == {"value", "RUN"}


# Images


def dockerfiles() -> list[Path]:
    return [ROOT / "Dockerfile", *sorted((ROOT / ".ci").glob("*Dockerfile"))]


def test_no_dockerfile_asks_for_a_frontend_from_a_registry() -> None:
    asks = re.compile(r"^#\s*syntax\s*=", re.MULTILINE | re.IGNORECASE)

    assert offending(dockerfiles(), lambda path: asks.findall(path.read_text())) == {}


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out: the last line that fits it or one of its folders decides."""
    ignored = False
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().removeprefix("!").strip("/")
        if pattern and not pattern.startswith("#"):
            anywhere = pattern.removeprefix("**/")
            if any(fnmatch.fnmatch(one, pattern) or fnmatch.fnmatch(one, anywhere) for one in above):
                ignored = not line.startswith("!")
    return ignored


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".env.production", ".git/config", ".venv/pyvenv.cfg", ".postgres/target/PG_VERSION"),
        *("secrets/postgres_password", "backups/a.dump", "reports/a.log", "app/__pycache__/a.pyc"),
        *(
            "src/shop/.env.local",
            "src/shop/prod.env",
            "app/id_rsa",
            "app/id_ed25519.pub",
            "deploy/tls.pem",
            "app/a.key",
        ),
        *("app/.git/config", "web/node_modules/left/index.js", "src/.pgpass", "app/.aws/credentials", ".netrc"),
    ],
)
def test_secrets_data_and_history_stay_out_of_images(path: str) -> None:
    assert is_ignored(path)


def test_what_the_dockerfile_copies_gets_into_the_image() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    sources = re.findall(r"^COPY ([a-z./]+)|type=bind,source=(\S+?),", dockerfile, re.MULTILINE)
    copied = ["".join(found) for found in sources]

    assert len(copied) > 2
    assert [path for path in copied if is_ignored(path)] == []
    # What stands there is the user's, but for the folder.
    assert [path for path in {*copied} - {"tests/staging"} if not (ROOT / path).exists()] == []


# Files as they are checked out and installed


def test_files_are_checked_out_with_unix_line_ends() -> None:
    assert re.search(r"^\* .*\beol=lf\b", (ROOT / ".gitattributes").read_text(), re.MULTILINE)


def test_no_file_has_a_carriage_return() -> None:
    paths = [*SHELL, *CODE, ROOT / "Makefile", ROOT / ".env.example", *COMPOSE]

    assert [name(path) for path in paths if b"\r" in path.read_bytes()] == []


OURS = ("alembic>", "sqlalchemy>", "psycopg2-binary>", "python-dotenv>", "rich>")
LOCKED = sorted((*ROOT.glob("requirements*.txt"), ROOT / ".ci/lowest-requirements.txt"))


@pytest.mark.parametrize("path", LOCKED, ids=name)
def test_every_locked_package_has_a_version_and_hashes(path: Path) -> None:
    lines = re.sub(r"\\\n", "", path.read_text()).splitlines()
    packages = [line for line in lines if line and not line.lstrip().startswith("#")]

    assert len(packages) >= 4
    for package in packages:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+", package), package
        assert "--hash=sha256:" in package, package
        assert not re.search(r"--(extra-)?index-url|--find-links|://", package), package


def test_the_lowest_versions_that_are_tested_are_those_of_pyproject() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    bounds = dict(one.split(">=") for one in declared if one.startswith(OURS))
    lines = (ROOT / ".ci/lowest-requirements.txt").read_text()
    locked = dict(re.findall(r"^([\w-]+)==([\d.]+)", lines, re.MULTILINE))

    assert len(bounds) == len(OURS)
    for package, bound in bounds.items():
        assert f"{locked[package]}.0.0".startswith(f"{bound}."), package


def test_the_lock_files_name_no_index() -> None:
    for path in LOCKED:
        assert not re.search(r"index-url|find-links|https?://", path.read_text()), path.name
