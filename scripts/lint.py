"""Find dangers in the revisions of this branch, and what models and revision files have in another form.

Exit 1 if a danger blocks, if models and files differ, or if they cannot be compared.

    make lint                    the revisions that the main branch does not have; it uses no database of yours
    make lint ALL=1              all revisions
    make lint JSON=1             print one JSON document, as make plan does; `models` has the differences, or null

In continuous integration, each table of an earlier revision counts as large and busy. On GitHub the findings appear in
the changed files. `# safe: H05 reason` in a revision's file silences a hazard there. docs/safe-migrations.md explains
them all.
"""

import itertools
import json
import sys
from collections.abc import Sequence

from scripts.core import overrides, settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.formatting import counted
from scripts.core.models import by_hand
from scripts.core.plan import lint, render
from scripts.core.plan.plan import Plan
from scripts.core.plan.table_sizes import NOTE
from scripts.core.revisions import history, models, unimported

DIFFER, WRITE = "Models and revision files differ.", 'make revision m="what it does"'


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.lint")
    parser.add_argument("--all", action="store_true", help="check every revision")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    arguments = parser.parse_args(argv)

    revisions = history.load()
    history.head(revisions)
    scripts = history.oldest_first(revisions) if arguments.all else lint.new(revisions)
    target = settings.load()
    made = lint.make(target, revisions, scripts)
    is_compared = not made.failure and not overrides.accepted("drift")
    differences, failure = compared(target, revisions) if is_compared else ([], made.failure)
    annotated = target.values.get("GITHUB_ACTIONS") == "true"
    if arguments.json:
        console.document(json.dumps(made.document() | {"models": differences}, indent=2))
    else:
        if made.failure:
            console.say("✗ Stopped before all revisions were tried. Found until then:", "red")
        show(made, annotated=annotated)
        show_differences(differences)
        if annotated and (error := failure or drift(differences)):
            console.say(render.failure(error))
    if failure:
        raise failure
    return 1 if made.blocking or differences else 0


def compared(target: settings.Settings, revisions: history.History) -> tuple[list[str] | None, UserError | None]:
    """Return the differences between models and revision files, or None and why they cannot be compared."""
    try:
        if files := unimported.look(target).files:
            return [f"{file} makes a table, and it is not imported by {models.module_files()}" for file in files], None
        return by_hand.at_head(target, revisions).lines, None
    except UserError as error:
        return None, error.with_override("drift")


def show_differences(lines: Sequence[str] | None) -> None:
    if not lines:
        return
    for line in lines:
        console.say(f"  {line}")
    console.say(f"✗ {DIFFER} Override with ACCEPT=drift.", "red")
    console.say(f"  Write what is missing: {WRITE}")


def drift(lines: Sequence[str] | None) -> UserError | None:
    return UserError(DIFFER + "".join(f"\n    {line}" for line in lines), do=WRITE, state="") if lines else None


def show(made: Plan, *, annotated: bool) -> None:
    found = [(revision, finding) for revision in made.revisions for finding in revision.findings]
    for revision, finding in found:
        console.say(*render.finding(revision, finding))
        if not finding.silenced and finding.severity != NOTE:
            for line in finding.instead.splitlines():
                console.say(f"      {line}", "dim")
            if annotated:
                console.say(render.annotation(revision, finding))
    for untried in itertools.chain.from_iterable(map(render.untried, made.revisions)):
        console.say(*untried)
    checked = counted(len(made.revisions), "revision")
    if made.blocking:
        verb = "blocks" if len(made.blocking) == 1 else "block"
        console.say(f"✗ {len(made.blocking)} of {counted(len(found), 'finding')} {verb}, in {checked}.", "red")
    elif not made.failure:
        more = "" if made.revisions else " make lint ALL=1 checks those of the main branch, too."
        console.done(f"Nothing blocks in {checked}.{more}")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
