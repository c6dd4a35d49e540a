"""Test the pending migrations on a copy of the real data. The database itself is only read.

    make verify-staging                       with the newest backup; it takes a new one if there is no recent one
    make verify-staging FROM=feature-x        with this backup: the name of its folder, or its NAME
    make verify-staging RELEASE=v1.4          also with the checks of the release that runs now: a tag or a folder
    make verify-staging ACCEPT=drift          skip a gate: drift, data, smoke, rollback or estimate
    make verify-staging JSON=1                print report.json

The report goes into REPORT_DIR. Exit 1 if a gate failed.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from scripts.core import ROOT, messages, settings
from scripts.core.backups.store import LATEST
from scripts.core.cli import console, entry_point
from scripts.core.errors import DONE, INTERRUPTED, NO
from scripts.core.formatting import VERDICTS
from scripts.core.postgres import scratch
from scripts.core.reports import store
from scripts.core.revisions import history, naming, unimported
from scripts.core.verification import progress_table, release, report_document, run
from scripts.core.verification.context import Case, Result

CODES = {"passed": DONE, "warned": DONE, "failed": NO, "interrupted": INTERRUPTED}


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.verify_staging")
    parser.add_argument("--from", dest="backup", default=LATEST, metavar="BACKUP", help="default: latest")
    parser.add_argument("--release", default="", metavar="NAME", help="a commit or tag, or a folder with its files")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    arguments = parser.parse_args(argv)

    target, revisions = settings.load(), history.load()
    wanted = history.head(revisions)
    naming.fetch()  # once, before the child that runs the revisions is forked
    unimported.look(target)
    started, clock = datetime.now(UTC), time.monotonic()
    with release.tree(arguments.release) as running, scratch.session(target) as server:
        environment = report_document.environment(target, server.server)
        unfinished = progress_table.Unfinished([gate.NAME for gate in run.ALL])
        case = Case(target, revisions, wanted, arguments.backup, server, running)
        with console.below(unfinished.rows), messages.sent_to(bar=unfinished.show):
            results = run.run(case, partial(count if arguments.json else show, unfinished))
        with entry_point.finishing():
            made = report_document.make(case, results, environment, started, time.monotonic() - clock)
            path = store.write(target.reports, made) / store.PAGE
    # The path for the user: in a container REPORT_DIR is mounted at the root.
    root = Path("/") if target.runtime == "docker" else ROOT
    if arguments.json:
        console.document(json.dumps(made, indent=2))
    else:
        conclude(made["verdict"], made["reason"])
        console.say(f"  {path.relative_to(root) if path.is_relative_to(root) else path}")
    return CODES[made["verdict"]]


def show(unfinished: progress_table.Unfinished, result: Result) -> None:
    """Show a finished gate, and remove it from the unfinished ones."""
    unfinished.next()
    for text, like in progress_table.finished(result, console.columns()):
        console.say(text, like)


def count(unfinished: progress_table.Unfinished, _result: Result) -> None:
    """Only count: standard output is for the document."""
    unfinished.next()


def conclude(verdict: str, reason: str) -> None:
    style: Callable[[str], None] = console.done if verdict == "passed" else lambda text: console.say(text, "bold")
    style(f"Verification {VERDICTS[verdict]}: {reason}")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
