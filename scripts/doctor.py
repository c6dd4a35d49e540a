"""Check everything that the tools need, and say how to cure what is wrong. Exit 1 if something is wrong.

    make doctor
    make doctor JSON=1           print one JSON document

It only reads. docs/troubleshooting.md explains each line.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from scripts.core import settings
from scripts.core.cli import console, entry_point
from scripts.core.doctor import diagnosis, facts, run
from scripts.core.doctor.diagnosis import NOT_CHECKED, WELL, WRONG, Diagnosis

SIGNS = {WELL: ("✓", "green"), WRONG: ("✗", "red"), NOT_CHECKED: ("-", "dim")}


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.doctor")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--host", default="", metavar="LINES", help="what make doctor has seen outside the container")
    arguments = parser.parse_args(argv)

    found: list[Diagnosis] = []
    with facts.gathered(diagnosis.fact(settings.load), host(arguments.host)) as known:
        for one in run.examine(known):
            found.append(one)
            if not arguments.json:
                show(one)
    if arguments.json:
        console.document(json.dumps({"format": 1, "checks": [asdict(one) for one in found]}, indent=2))
    return 1 if any(one.state == WRONG for one in found) else 0


def host(lines: str) -> dict[str, Diagnosis]:
    """Return what scripts/doctor.sh has found, by the id of the check."""
    found = [Diagnosis(*line.split("\t")) for line in lines.splitlines() if line.count("\t") == 3]
    return {one.id: one for one in found}


def show(one: Diagnosis) -> None:
    """Print a line."""
    sign, style = SIGNS[one.state]
    line = f"not checked: {one.line}" if one.state == NOT_CHECKED else one.line
    cure = f"  Do: {one.cure}" if one.cure else ""
    console.say(f"{sign} {one.id:<{run.WIDTH}}  {line}{cure}", style)


if __name__ == "__main__":
    sys.exit(entry_point.run(main, needs_files=False))
