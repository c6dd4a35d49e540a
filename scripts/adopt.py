"""Move an existing project into this checkout, and prove that its schema stays the same.

make adopt PROJECT=../shop                 look at it, try it, show what would change, and ask
make adopt PROJECT=../shop CONFIRM=shop    without a question
make adopt PROJECT=../shop/two.ini         one of several Alembic environments; in one file: NAME=section
make adopt                                 check an application that was put in place by hand
make adopt DATABASE=1                      what a database that exists already needs once; it is only read

The project is only read. Its revisions run on the scratch server: with its own env.py, and with ours. Nothing changes
here before both make the same schema. docs/adopt.md says what is carried over.
"""

import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.core import ROOT, env_file, overrides, settings
from scripts.core.adopt import changes, database, env_py, example, prepare, prove
from scripts.core.adopt.adoption import Adoption
from scripts.core.adopt.prove import Proof
from scripts.core.cli import console, entry_point
from scripts.core.errors import USAGE, UserError
from scripts.core.formatting import counted
from scripts.core.models import accepted
from scripts.core.postgres import scratch

SHOWN = 20
"""Differences that are printed of many."""
FOR_ENV = ROOT / ".env.adopted"
"""In a container .env cannot be written. The host appends this file to it."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.adopt")
    parser.add_argument("--project", default="", metavar="FOLDER", help="the project, or its alembic.ini")
    parser.add_argument("--name", default="", metavar="SECTION", help="the section of its alembic.ini")
    parser.add_argument("--database", action="store_true", help="show what the database needs")
    parser.add_argument("--original", default="", help="for a proof: the database that its own env.py has made")
    parser.add_argument("--proof", default="", metavar="FILE", help="for a proof: the file that gets the result")
    arguments = parser.parse_args(argv)

    if changes.restore():
        console.warn("An earlier make adopt was killed. Its changes of this checkout are undone.")
    entry_point.require_files()
    target = settings.load()
    if arguments.database:
        return show_needs(target)
    if target.app_env != "development":
        raise UserError(f"APP_ENV is {target.app_env}.", why="A checkout is filled in development only.", code=USAGE)
    if not arguments.project:
        found = prove.prove(target, arguments.original)
        if arguments.proof:
            Path(arguments.proof).write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")
            return 0
        return check(found)
    with changes.working() as work:
        return adopt(target, arguments.project, arguments.name, work)


def show_needs(target: settings.Settings) -> int:
    """Print what the database needs. Return 1 if something is still to be done."""
    is_done = True
    for need in database.needs(target):
        console.say(str(need), "green" if need.is_done else "red")
        is_done = is_done and need.is_done
    return 0 if is_done else 1


def check(found: Proof) -> int:
    """Print the proof of what is in this checkout."""
    if found.against_models:
        console.say(f"✗ Models and revision files differ in {counted(len(found.against_models), 'object')}:", "red")
        listing(found.against_models)
        console.say("  Correct them, or keep them all: make revision ACCEPT=differences")
    report(found)
    return 1 if found.against_models or len(found.heads) > 1 else 0


def adopt(target: settings.Settings, given: str, name: str, work: Path) -> int:
    prepared = prepare.prepare(target, given, name, work)
    console.facts(list(table(prepared)))
    require_confirmation(prepared, given)
    console.say(f"Proving it: {counted(len(prepared.recorded.revisions), 'revision')} on an empty database …")
    address = scratch.address(target)
    found = prove.prove_prepared(target, prepared, address, work)
    require_equal(prepared, found)
    prepared = accept(prepared, found)
    changes.apply(prepared.changes)
    with entry_point.finishing():
        complete_env(prepared, in_container=target.in_container)
    report(found)
    console.done(f"Adopted {prepared.project.name}. To undo it: git checkout . && git clean -fd (see: git status)")
    for line in left_to_do(target, prepared):
        console.say(f"  {line}")
    return 0


def table(prepared: Adoption) -> Iterator[tuple[str, str]]:
    """Yield what was found, and what will be done."""
    project, seen = prepared.project, prepared.recorded
    heads = "" if len(seen.heads) == 1 else f", with {counted(len(seen.heads), 'head')}"
    env = seen.env.relative_to(prepared.changes.prepared.parent / "project")
    yield "project", f"{project.folder}, {project.configuration} [{project.section}], {env}"
    yield "revisions", f"{counted(len(seen.revisions), 'file')}{heads} -> alembic/versions/"
    yield "models", f"{', '.join(prepared.metadata)}, {counted(len(seen.tables), 'table')}"
    yield "packages", ", ".join(prepared.code.declared) + (f"; {env_py.PACKAGE}" if prepared.carried.text else "")
    yield "command", start_of(prepared)
    yield "dependencies", dependencies(prepared)
    yield "driver", prepared.driver
    yield from table_of_settings(prepared)
    if prepared.code.links:
        yield "links", f"not copied, because they lead out of it: {', '.join(prepared.code.links)}"
    yield "removed", f"the example: {', '.join(f'{one}/' for one in example.FOLDERS)}"
    yield (
        "changes",
        f"{counted(len(prepared.changes.written), 'file')} written, {len(prepared.changes.removed)} removed",
    )


def table_of_settings(prepared: Adoption) -> Iterator[tuple[str, str]]:
    """Yield what was found in env.py, in the project's variables and in its Compose file."""
    seen = prepared.recorded
    if carried := [*prepared.carried.functions, *(f"{one}={value}" for one, value in prepared.options.items())]:
        yield "carried over", ", ".join(carried)
    if prepared.not_carried:
        yield "not carried", "; ".join(prepared.not_carried)
    if seen.url_variables:
        yield "get the URL", ", ".join(["DATABASE_URL", *seen.url_variables])
    if seen.extensions:
        yield "extensions", f"{', '.join(seen.extensions)}, which only an administrator may create"
    if prepared.variables:
        yield ".env", f"{', '.join(sorted(prepared.variables))}, from its {prepared.variables_from}"
    if prepared.compose.name:
        yield "services", str(prepared.compose)


def start_of(prepared: Adoption) -> str:
    start = prepared.start
    if start.command:
        return f"{start.command}  (from {start.where})"
    return f"not found; look at {start.maybe}" if start.maybe else "not found"


def dependencies(prepared: Adoption) -> str:
    needed = prepared.dependencies
    if not needed.source:
        return "none found"
    added = f"{len(prepared.resolved.added)} added and locked" if prepared.resolved.added else "all are here already"
    more = [f"not read: {', '.join(needed.not_read)}"] if needed.not_read else []
    more += [f"left out: {', '.join(needed.left_out)}"] if needed.left_out else []
    more += [f"imported, so added: {', '.join(needed.assumed)}"] if needed.assumed else []
    return "; ".join([f"{needed.source}: {len(needed.requirements)}, {added}", *more])


def require_confirmation(prepared: Adoption, given: str) -> None:
    """Raise UserError unless the user agrees."""
    name, given_name = prepared.project.name, overrides.confirmed()
    if given_name == name or (not given_name and console.ask("Do this? Type yes:") in ("y", "yes")):
        return
    do = f"make adopt PROJECT={shlex.quote(given)} CONFIRM={shlex.quote(name)}"
    raise UserError("Not confirmed.", do=do)


def require_equal(prepared: Adoption, found: Proof) -> None:
    """Raise UserError if our env.py makes another schema than the project's own."""
    if found.differences:
        lines = "".join(f"\n    {one}" for one in found.differences[:SHOWN])
        statements = "; ".join(prepared.recorded.statements[:5])
        raise UserError(
            f"The revisions make another schema here than with the env.py of {prepared.project.name}:{lines}",
            why=f"Its env.py also executes: {statements}" if statements else "Its env.py does more than ours.",
            do="move that into a revision of the project, then run this again",
        )


def accept(prepared: Adoption, found: Proof) -> Adoption:
    """Return the adoption with the differences between models and files accepted. Raise UserError without a yes.

    Defaults that the models do not state are kept without a question: make revision would drop them.
    """
    if found.against_models:
        number = counted(len(found.against_models), "object")
        console.say(f"Models and revision files of the project differ in {number}:")
        listing(found.against_models)
        require_yes()
    if unstated := len(found.acceptable) - len(found.against_models):
        console.say(f"Kept {counted(unstated, 'default')} that the models do not state: {accepted.FILE}")
    return prepare.with_accepted(prepared, accepted.text(found.acceptable)) if found.acceptable else prepared


def require_yes() -> None:
    if not overrides.accepted("differences") and console.ask("Keep them as they are? Type yes:") not in ("y", "yes"):
        raise UserError(
            "The models of the project do not match its revision files.",
            why="make revision would write these differences into its first file.",
            do="correct them in the project. Override with ACCEPT=differences.",
        )


def listing(lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        console.say(f"    {line}")
    if len(lines) > SHOWN:
        console.say(f"    … and {len(lines) - SHOWN} more")


def report(found: Proof) -> None:
    ran = f"{counted(found.revisions, 'revision')} ran from empty, and made {counted(found.tables, 'table')}."
    console.done(ran)
    if len(found.heads) > 1:
        console.warn(f"There are {len(found.heads)} heads, so the models were not compared. Join them: make merge")
    elif not found.against_models:
        console.done(f"Models and migrations match{found.exceptions}.")


def complete_env(prepared: Adoption, *, in_container: bool) -> None:
    """Add the project's own variables to .env, which git ignores."""
    there = env_file.read(env_file.ENV_FILE).values if env_file.ENV_FILE.is_file() else {}
    wanted = {"APP_DRIVER": prepared.driver, **prepared.variables}
    lines = [f"{name}={quoted(value)}" for name, value in wanted.items() if name not in there]
    path = FOR_ENV if in_container else env_file.ENV_FILE
    if lines and (in_container or path.is_file()):
        path.touch(0o600)
        with path.open("a", encoding="utf-8") as opened:
            opened.write("\n".join(["", f"# Of {prepared.project.name}", *lines, ""]))


def quoted(value: str) -> str:
    """Return a value as .env has it. All who read .env take single quotes literally."""
    return f"'{value}'" if "'" not in value and "\n" not in value else json.dumps(value)


def left_to_do(target: settings.Settings, prepared: Adoption) -> Iterator[str]:
    """Yield at most five lines."""
    yield "Review it, put its tests into tests/app/, then: git remote rename origin upstream; git add -A && git commit"
    if not prepared.start.command:
        hint = f" ({prepared.start.maybe})" if prepared.start.maybe else ""
        yield f"Set command in [tool.app] of pyproject.toml: what starts the application{hint}."
    yield from prepared.compose.to_do(prepared.variables)
    name = target.database_url.database
    yield f"If the database has the example's tables: make reset CONFIRM={name}. Then: make up"


if __name__ == "__main__":
    # It can undo its own changes, with which these files cannot be read.
    sys.exit(entry_point.run(main, needs_files=False))
