"""Prepares the move of an existing project into this checkout: everything is looked at and tried before it changes."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

from scripts.core import ROOT, messages
from scripts.core.adopt import (
    changes,
    checkout,
    command,
    compose_file,
    dependencies,
    distribution,
    env_py,
    example,
    found,
    packages,
    recorded,
    resolution,
    variables,
)
from scripts.core.adopt.adoption import Adoption
from scripts.core.adopt.changes import CheckoutChanges
from scripts.core.adopt.checkout import DOUBLED, is_below
from scripts.core.adopt.dependencies import Dependencies
from scripts.core.adopt.env_py import Carried
from scripts.core.adopt.found import ExistingProject
from scripts.core.adopt.recorded import Question, Recorded
from scripts.core.adopt.resolution import Resolved
from scripts.core.errors import UserError
from scripts.core.postgres import own_tables
from scripts.core.settings import Settings

OPTIONS = ("file_template", "truncate_slug_length", "timezone", "recursive_version_locations")
"""Options of Alembic's configuration that this environment honours."""
OF_ENV = ("version_table", "version_table_schema")
"""Options that a project may give in its configuration, or in env.py."""
STEPS = 4
_COMMANDS = re.compile(
    rb"^\s*(?:from alembic import .*\bcommand\b|import alembic\.command|from alembic\.command )", re.MULTILINE
)
WITHOUT_WORK = {
    *("target_metadata", "connection", "url", "literal_binds", "dialect_opts", "dialect_name", "template_args"),
    *("include_schemas", "render_as_batch", "transaction_per_migration", "transactional_ddl", "compare_type"),
    *("compare_server_default", "user_module_prefix", "fn", "as_sql", "starting_rev", "destination_rev", "tag"),
    *("script", "alembic_module_prefix", "sqlalchemy_module_prefix", "purge", "dont_mutate", "version_table_pk"),
}
"""Options of context.configure() that need no place here: what they switch on is always on, or is not needed."""


def prepare(settings: Settings, given: str, name: str, work: Path) -> Adoption:
    """Prepare everything in the folder `work`. Raise UserError if the project cannot be adopted."""
    project = found.find(given, name)
    example.require([one for one in example.EDITED if (ROOT / one).exists()])
    copy = work / "project"
    links = packages.copy_whole(project, copy)
    distribution.of_wheel(copy)
    for folder in (work, copy):
        (folder / ".env").touch()  # a library that searches .env upwards must not find that of this checkout
    source, values = variables.read(project)
    needed, resolved, question, seen = _recorded(settings, Question(Path(), project, copy, work, values, ""))
    code = packages.find(copy, seen.modules, seen.env.parent)
    code.folders += [distribution.FOLDER] if (copy / distribution.FOLDER).is_dir() else []
    code.links = links
    start = command.find(copy, code.declared, question.python, dependencies.programs(project))
    adoption = Adoption(
        project=project,
        dependencies=needed,
        resolved=resolved,
        recorded=seen,
        code=code,
        carried=Carried(),
        metadata=[],
        driver=question.driver,
        start=replace(start, command=command.moved(start.command, code.modules, packages.MODULES)),
        variables_from=source,
        variables=variables.kept_by_the_application(values) if source == ".env" else {},
        compose=compose_file.read(copy),
        options=_options(project, seen),
        changes=CheckoutChanges(work / "prepared", [], []),
        python=question.python,
    )
    messages.progress(3, STEPS, "steps: looking for the models")
    _carry(settings, question, adoption)
    checkout.write(adoption, copy)
    return adoption


def _recorded(settings: Settings, question: Question) -> tuple[Dependencies, Resolved, Question, Recorded]:
    """Choose and install the packages, and run the project's own env.py with them.

    A driver that it imports and does not name is added to its packages.
    """
    needed = dependencies.read(question.project)
    driver = variables.drivers(question.values, needed.requirements, _env_text(question.project))
    folder = question.work / "packages"
    while True:
        messages.progress(0, STEPS, "steps: choosing the packages")
        resolved = resolution.resolve(needed, _new(folder))
        messages.progress(1, STEPS, "steps: installing the packages")
        question = replace(question, driver=driver, python=resolution.install(resolved, folder))
        messages.progress(2, STEPS, "steps: running all revisions with its own env.py")
        seen = recorded.record(settings, question)
        if isinstance(seen, Recorded):
            return needed, resolved, question, seen
        needed = dependencies.with_driver(needed, seen.name)
        folder = question.work / f"packages-{seen.name}"


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _env_text(project: ExistingProject) -> str:
    """Return the text of every env.py of the project, of which one is its own."""
    every = project.folder.rglob("env.py")
    return "".join(
        one.read_text(encoding="utf-8", errors="replace") for one in every if "site-packages" not in one.parts
    )


def _options(project: ExistingProject, seen: Recorded) -> dict[str, str]:
    """Return the options of Alembic's configuration that are carried over."""
    given = {name: value for name in (*OPTIONS, *OF_ENV) if (value := project.option(name))}
    of_env = {name: str(seen.simple[name]) for name in OF_ENV if seen.simple.get(name)}
    folders = {path.parent for path in seen.revisions.values()}
    nested = {"recursive_version_locations": "true"} if any(is_below(one, folders) for one in folders) else {}
    both = {**given, **nested, **of_env}
    return {name: value for name, value in both.items() if (name, value) != ("version_table", own_tables.VERSION_TABLE)}


def _carry(settings: Settings, question: Question, adoption: Adoption) -> None:
    """Find how the models are named here: by their own module, or by a module with what env.py says about them.

    Raise UserError if neither has them.
    """
    seen, name = adoption.recorded, adoption.project.name
    text = seen.env.read_text(encoding="utf-8", errors="replace")
    own = sorted({one.partition(".")[0] for one in seen.modules})
    carried = env_py.carry(text, name, own, seen.functions)
    direct = [_shortest(one) for one in seen.references]
    has_plugins = re.search(r"alembic_utils|alembic_postgresql_enum", carried.text)
    is_plain = len(direct) == 1 and direct[0] and not carried.functions and not has_plugins
    if is_plain and recorded.described(settings, question, direct[0], seen.url_variables) == seen.tables:
        adoption.metadata, carried.text = direct, ""
    else:
        adoption.metadata = [f"{env_py.PACKAGE}:metadata"]
        if len(direct) == 1 and direct[0] and not _has_tables(settings, question, seen, carried.text):
            other = env_py.assembled(name, direct[0], seen.defining, seen.functions)
            if _has_tables(settings, question, seen, other.text):
                carried = other
    adoption.carried = carried
    adoption.not_carried = [*carried.not_carried, *_not_carried(adoption)]
    if not carried.text and adoption.metadata != direct:
        raise UserError(
            f"The metadata of the models is not found: env.py of {name} has none that can be named.",
            why="; ".join(adoption.not_carried) or "context.configure() has no target_metadata.",
            do="give target_metadata at the top of its env.py, then run this again",
        )


def _not_carried(adoption: Adoption) -> list[str]:
    """Return the options of env.py without a place here, what it executes by itself, and what runs otherwise here."""
    seen = adoption.recorded
    options = ((name, value) for name, value in seen.simple.items() if name not in {*WITHOUT_WORK, *OF_ENV})
    executed = (one for one in seen.statements if not one.startswith("SET search_path"))
    return [
        *(f"{name}={value}" for name, value in options if value),
        *(f"{place}: a raw statement with {DOUBLED}, which is sent as %; use op.execute()" for place in seen.doubled),
        *(f"{place} runs Alembic: switch this off, make migrate does it" for place in _runs_alembic(adoption)),
        *(f"{name}: {env_py.NOT_ASKED}" for name in seen.objects if name not in WITHOUT_WORK),
        *(f"env.py executes: {one[:80]}" for one in executed),
    ]


def _has_tables(settings: Settings, question: Question, seen: Recorded, text: str) -> bool:
    """Return whether a module with this text has the tables of the models when it is imported by itself."""
    folder = question.copy / env_py.PACKAGE
    if not text or folder.exists():
        return False
    _new(folder)
    (folder / "__init__.py").write_text(text, encoding="utf-8")
    try:
        return recorded.described(settings, question, f"{env_py.PACKAGE}:metadata", seen.url_variables) == seen.tables
    finally:
        shutil.rmtree(folder)


def _runs_alembic(adoption: Adoption) -> list[str]:
    """Return the files of the application that import Alembic's commands, as one that migrates when it starts."""
    copy, found = adoption.changes.prepared.parent / "project", list[str]()
    for folder in adoption.code.folders:
        every = (one for one in sorted((copy / folder).rglob("*.py")) if one.name != "env.py")
        found += [str(one.relative_to(copy)) for one in every if _COMMANDS.search(one.read_bytes())]
    return found


def _shortest(references: list[str]) -> str:
    return next(iter(sorted(references, key=lambda one: (one.count("."), len(one)))), "")


def with_accepted(adoption: Adoption, text: str) -> Adoption:
    """Return the adoption with a file of accepted differences."""
    path = adoption.changes.prepared / example.ACCEPTED
    path.write_text(text, encoding="utf-8")
    removed = [str(one.relative_to(ROOT)) for one in example.files()]
    return replace(adoption, changes=changes.between(adoption.changes.prepared, removed))
