"""Open a shell where the scripts run. In it, psql connects to the database.

make shell
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.core import application, settings, subprocesses
from scripts.core.cli import console, entry_point
from scripts.core.errors import UserError
from scripts.core.postgres import client_programs, connections


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "scripts.shell").parse_args(argv)

    environment: dict[str, str] = {}
    try:
        environment["PYTHONPATH"] = application.python_path()
        target = settings.load()
        environment = connections.tool_environment(target.database_url)
        programs = Path(client_programs.newest("psql", tls=target.external)).parent
        environment["PATH"] = os.pathsep.join([str(programs), os.environ["PATH"]])
    except UserError as error:
        # A shell is also for finding out what is wrong.
        console.fail(error)
    console.hand_over()
    subprocesses.replace(_shell(), {"PS1": r"\w\$ "} | environment)


def _shell() -> list[str]:
    """Return the user's shell, or bash in a container, where its own files would print a missing name."""
    return [own] if (own := os.environ.get("SHELL")) else ["bash", "--norc"]


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
