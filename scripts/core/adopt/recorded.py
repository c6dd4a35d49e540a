"""Runs a project's own env.py on the scratch server, with all of its revisions, and returns what it does."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from scripts.core import subprocesses
from scripts.core.adopt import command, distribution, lacking_extensions, packages, variables
from scripts.core.adopt.env_py import Function
from scripts.core.adopt.found import ExistingProject
from scripts.core.child_process import Deadline
from scripts.core.errors import UserError
from scripts.core.postgres import rights, scratch, scratch_extensions, templates, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.settings import Settings

KIND = "adopted"
PROGRAM = Path(__file__).with_name("recording.py")
DEADLINE = Deadline(1200, "All revisions of the project run on an empty database.", "PLAN_DEADLINE")
HOME = "home"
"""The home folder of the project's code, in `work`. It may write its settings there."""
SEVERAL = "for several databases or schemas"
NOT_POSTGRESQL = "not to PostgreSQL"


@dataclass(frozen=True)
class LacksDriver:
    """The project imports a driver for PostgreSQL that it does not name among its dependencies."""

    name: str


@dataclass(frozen=True)
class Recorded:
    env: Path
    """Its env.py, in the copy of the project."""
    revisions: dict[str, Path]
    heads: list[str]
    simple: dict[str, Any]
    """The options of context.configure() that are text, numbers or switches."""
    functions: dict[str, Function]
    """The functions that it was given, by option."""
    objects: list[str]
    """Its other options, by name."""
    tables: list[str]
    references: list[list[str]]
    """The spellings module:attribute of each metadata."""
    defining: list[str]
    """The project's modules that define tables."""
    modules: dict[str, str]
    """The files of the project's modules that were imported."""
    statements: list[str]
    """What env.py has executed besides the revisions."""
    doubled: list[str]
    """Places of raw statements whose doubled percent signs are two there, and one here."""
    extensions: list[str]
    """What the project's role could not create, as [tool.app] has it."""
    url_variables: list[str]
    """Variables besides DATABASE_URL that needed the URL."""
    template: str
    """The database with the schema that it has made, on the scratch server."""


@dataclass(frozen=True)
class Question:
    """What the recording needs to know of a copied project."""

    python: Path
    project: ExistingProject
    copy: Path
    work: Path
    values: Mapping[str, str]
    driver: str

    def at(self, path: Path) -> Path:
        """Return the place of a file of the project in its copy."""
        return self.copy / path.relative_to(self.project.folder)

    def asked(self, **more: Any) -> dict[str, Any]:
        toml = self.copy / "pyproject.toml"
        folder = self.at(self.project.folder_of_configuration)
        return {
            "project": str(self.copy),
            "folder": str(folder),
            "ini": str(self.at(self.project.ini)) if self.project.ini else None,
            "section": self.project.section,
            "toml": str(toml) if toml.is_file() else None,
            "paths": [str(one) for one in self._search_path(folder)],
            "flask": self.project.is_of_flask,
            "flask_app": command.flask_application(self.copy) if self.project.is_of_flask else "",
            "names": f"(?i:{variables.NAMES_A_URL.pattern})",
            "answer": str(self.work / "answer.json"),
            "reference": "",
            **more,
        }

    def _search_path(self, folder: Path) -> list[Path]:
        """Return the folders in which Python finds the project's packages, as they would be in `folder`."""
        given = [folder / one for one in self.project.option("prepend_sys_path").replace(":", " ").split()]
        prepended = [self.at(one) if one.is_relative_to(self.project.folder) else one for one in given]
        # A package is not searched itself: its module `logging` would hide that of the standard library.
        inside = (one for one in (folder, *folder.parents) if one.is_relative_to(self.copy))
        above = next((one for one in inside if not (one / "__init__.py").exists()), self.copy)
        roots = [self.copy / one for one in (*packages.roots(self.copy), distribution.FOLDER)]
        return [one for one in dict.fromkeys(path.resolve() for path in (*prepended, above, *roots)) if one.is_dir()]


def record(settings: Settings, question: Question) -> Recorded | LacksDriver:
    """Return what the project's env.py does. Raise UserError if it does not run on an empty database."""
    with scratch.session(settings, rights.default(settings)) as server:
        answer, made, more = _run_with_urls(server, question)
        if "error" in answer:
            if answer["error"]["missing"] in variables.DRIVERS:
                return LacksDriver(answer["error"]["missing"])
            raise _failed(answer["error"], question.project)
        unique = f"{question.work} {made.database_url.database}"
        name = f"{KIND}_{hashlib.sha256(unique.encode()).hexdigest()[:24]}"
        template = templates.keep(server, made, name, "", 1)
    return _recorded(answer, more, template)


def _run_with_urls(server: Scratch, question: Question) -> tuple[dict[str, Any], Settings, list[str]]:
    """Return what env.py does, its database, and the variables besides DATABASE_URL that needed the URL.

    If it connects to no database, the variables are tried that it has looked at, and those that its code names.
    """
    needed = variables.with_urls(question.values)
    answer, made = _run(server, question, needed)
    waiting, tried = _names(answer, question), {*needed}
    while waiting and _may_lack_a_url(answer):
        if (name := waiting.pop(0)) in tried:
            continue
        tried.add(name)
        again, made_again = _run(server, question, [*needed, name])
        if again.get("error", {}).get("words") != answer["error"]["words"]:
            answer, made, needed = again, made_again, [*needed, name]
            waiting = _names(answer, question)
    return answer, made, needed


def _names(answer: Mapping[str, Any], question: Question) -> list[str]:
    return [*answer.get("looked_at", []), *variables.names(question.copy)]


def _may_lack_a_url(answer: Mapping[str, Any]) -> bool:
    return "error" in answer and not answer["error"]["missing"] and not answer.get("connected")


def described(settings: Settings, question: Question, reference: str, more: Sequence[str]) -> list[str]:
    """Return the tables of a metadata when only its own module is imported; nothing if that fails."""
    with scratch.session(settings, rights.default(settings)) as server:
        answer, _ = _run(server, question, more, reference)
    return list(answer.get("tables", []))


def _run(
    server: Scratch, question: Question, more: Sequence[str], reference: str = ""
) -> tuple[dict[str, Any], Settings]:
    values, given, needed = {**question.values}, dict[str, str](), scratch_extensions.needed(server)
    limits: Any = {"deadline": DEADLINE, "statement_timeout": DEADLINE.seconds}
    while True:
        made = scratch.create(server)
        scratch_extensions.make(server, made, [*needed, *given], given)
        answer: dict[str, Any] = trial.run(server, made, ask, question, values, [*more], reference, **limits)
        error = answer.get("error", {})
        lacks = lacking_extensions.of(server, error)
        if lacks.keys() <= {*needed, *given} and not distribution.made(question.project, question.copy, error):
            break
        given |= lacks
    answer["extensions"] = [f"{name} SCHEMA {schema}" if schema else name for name, schema in given.items()]
    return answer, made


def ask(
    made: Settings, question: Question, values: Mapping[str, str], more: Sequence[str], reference: str
) -> dict[str, Any]:
    """Do the work of `record` in the child: start the project's own Python, and read its answer."""
    url: URL = made.database_url.set(drivername=f"postgresql+{question.driver}")
    asked = question.asked(
        url=made.database_url.render_as_string(hide_password=False),
        given=url.render_as_string(hide_password=False),
        reference=reference,
    )
    file, answer = question.work / "question.json", Path(asked["answer"])
    answer.unlink(missing_ok=True)
    file.touch(0o600)
    file.write_text(json.dumps(asked), encoding="utf-8")
    home = question.work / HOME
    home.mkdir(exist_ok=True)
    fixed = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "", "HOME": str(home)}
    environment = {**variables.for_throwaway(values, url, more), **fixed}
    said = subprocesses.captured([str(question.python), "-P", str(PROGRAM), str(file)], question.work, environment)
    file.unlink()
    if not answer.exists():
        last = said.text.strip().rpartition("\n")[2]
        return {"error": {"place": "", "words": f"it ended with exit code {said.code}: {last}", "missing": ""}}
    found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    answer.unlink()
    return found


def _recorded(answer: Mapping[str, Any], more: Sequence[str], template: str) -> Recorded:
    return Recorded(
        env=Path(answer["env"]),
        revisions={one: Path(path) for one, path in answer["revisions"].items()},
        heads=answer["heads"],
        simple=answer["simple"],
        functions={option: Function(**place) for option, place in answer["functions"].items()},
        objects=answer["objects"],
        tables=answer["tables"],
        references=answer["references"],
        defining=answer["defining"],
        modules=answer["modules"],
        statements=answer["statements"],
        doubled=[*dict.fromkeys(answer["doubled"])],
        extensions=answer["extensions"],
        url_variables=[*more],
        template=template,
    )


def _failed(error: Mapping[str, str], project: ExistingProject) -> UserError:
    do = "run the project's own alembic upgrade head on an empty database. Write variables that it needs into its .env"
    if lacking := re.match(r"KeyError: '([A-Z]\w+)'", error["words"]):
        do = f"write {lacking[1]}=… into the project's .env, then run this again"
    if error["missing"]:
        do = f"add the package of {error['missing']} to the project's dependencies, then run this again"
    if SEVERAL in error["words"]:
        return UserError(
            f"{error['place']}, of {project.name}, runs the revisions {SEVERAL}.",
            why="One checkout has one database, and one history.",
            do="make an alembic.ini with an env.py for each of them. Then name one: make adopt PROJECT=…/alembic.ini",
        )
    if "Could not locate a Flask application" in error["words"]:
        do = "write FLASK_APP=module:application into the .flaskenv of the project"
    if NOT_POSTGRESQL in error["words"]:
        do = "write DATABASE_URL=postgresql://… into the project's .env.example, under the name that it reads"
    do = scratch_extensions.HELP if lacking_extensions.not_installed(error["words"]) else do
    where = f"{error['place']}: " if error["place"] else ""
    return UserError(
        f"The env.py of {project.name} does not run: {where}{error['words']}",
        why="All its revisions run on an empty throwaway database, with the project's own env.py.",
        do=do,
    )
