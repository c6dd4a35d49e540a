"""Open psql on the database.

make psql
make psql c="SELECT count(*) FROM users"
"""

import sys
from collections.abc import Sequence

from scripts.core import settings, subprocesses
from scripts.core.cli import console, entry_point
from scripts.core.postgres import client_programs, connections


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.psql")
    parser.add_argument("--command", metavar="SQL", help="run this instead of a prompt")
    arguments = parser.parse_args(argv)

    target = settings.load()
    connections.ensure_server(target)
    # A server outside this project may require TLS.
    psql = client_programs.newest("psql", tls=target.external)
    words = [psql, "--no-psqlrc", *(["--command", arguments.command] if arguments.command else [])]
    console.hand_over()
    subprocesses.replace(words, connections.tool_environment(target.database_url))


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
