"""Prepares the move of an existing project into this checkout: everything is looked at and tried before it changes."""

import re
from dataclasses import replace
from pathlib import Path

from scripts.core import ROOT
from scripts.core.adopt import (
    changes,
    checkout,
    command,
    compose_file,
    dependencies,
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
from scripts.core.adopt.env_py import Carried
from scripts.core.adopt.found import ExistingProject
from scripts.core.adopt.recorded import Question, Recorded
from scripts.core.errors import UserError
from scripts.core.postgres import own_tables
from scripts.core.settings import Settings

OPTIONS = ("file_template", "truncate_slug_length", "timezone")
"""Options of Alembic's configuration that this environment honours."""
OF_ENV = ("version_table", "version_table_schema")
"""Options that a project may give in its configuration, or in env.py."""
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
    needed = dependencies.read(project)
    (work / "packages").mkdir()
    resolved = resolution.resolve(needed, work / "packages")
    copy = work / "project"
    links = packages.copy_whole(project, copy)
    for folder in (work, copy):
        (folder / ".env").touch()  # a library that searches .env upwards must not find that of this checkout
    python = resolution.install(resolved, work / "packages")
    source, values = variables.read(project)
    driver = variables.drivers(values, needed.requirements, _env_text(project))
    question = Question(python, project, copy, work, values, driver)
    seen = recorded.record(settings, question)
    code = packages.find(copy, seen.modules, seen.env.parent)
    code.links = links
    start = command.find(copy, code.declared, python, dependencies.programs(project))
    adoption = Adoption(
        project=project,
        dependencies=needed,
        resolved=resolved,
        recorded=seen,
        code=code,
        carried=Carried(),
        metadata=[],
        driver=driver,
        start=replace(start, command=command.moved(start.command, code.modules, packages.MODULES)),
        variables_from=source,
        variables=variables.kept_by_the_application(values) if source == ".env" else {},
        compose=compose_file.read(copy),
        options=_options(project, seen),
        changes=CheckoutChanges(work / "prepared", [], []),
        python=python,
    )
    _carry(settings, question, adoption)
    checkout.write(adoption, copy)
    return adoption


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
    both = {**given, **of_env}
    return {name: value for name, value in both.items() if (name, value) != ("version_table", own_tables.VERSION_TABLE)}


def _carry(settings: Settings, question: Question, adoption: Adoption) -> None:
    """Find how the models are named here: by their own module, or by a module with what env.py says about them."""
    seen = adoption.recorded
    text = seen.env.read_text(encoding="utf-8", errors="replace")
    own = sorted({name.partition(".")[0] for name in seen.modules})
    adoption.carried = env_py.carry(text, adoption.project.name, own, seen.functions)
    adoption.not_carried = [
        *adoption.carried.not_carried,
        *(f"{name}={value}" for name, value in seen.simple.items() if name not in {*WITHOUT_WORK, *OF_ENV} and value),
        *(f"env.py executes: {one[:80]}" for one in seen.statements if not one.startswith("SET search_path")),
    ]
    direct = [_shortest(one) for one in seen.references]
    has_plugins = re.search(r"alembic_utils|alembic_postgresql_enum", adoption.carried.text)
    is_plain = len(direct) == 1 and direct[0] and not adoption.carried.functions and not has_plugins
    if is_plain and recorded.described(settings, question, direct[0]) == seen.tables:
        adoption.metadata = direct
        adoption.carried.text = ""
        return
    if not adoption.carried.text:
        raise UserError(
            f"The metadata of the models is not found: env.py of {adoption.project.name} has none that can be named.",
            why="; ".join(adoption.not_carried) or "context.configure() has no target_metadata.",
            do="give target_metadata at the top of its env.py, then run this again",
        )
    adoption.metadata = [f"{env_py.PACKAGE}:metadata"]


def _shortest(references: list[str]) -> str:
    return next(iter(sorted(references, key=lambda one: (one.count("."), len(one)))), "")


def with_accepted(adoption: Adoption, text: str) -> Adoption:
    """Return the adoption with a file of accepted differences."""
    path = adoption.changes.prepared / example.ACCEPTED
    path.write_text(text, encoding="utf-8")
    removed = [str(one.relative_to(ROOT)) for one in example.files()]
    return replace(adoption, changes=changes.between(adoption.changes.prepared, removed))
