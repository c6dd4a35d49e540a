"""Open psql on the database.

make psql
make psql c="SELECT count(*) FROM users"
"""

import sys
from collections.abc import Sequence

from scripts.core import clients, command, postgres, settings, shell


def main(argv: Sequence[str] | None = None) -> int:
    parser = command.parser(__doc__, "psql")
    parser.add_argument("--command", metavar="SQL", help="run this instead of a prompt")
    arguments = parser.parse_args(argv)

    target = settings.load()
    postgres.ensure_server(target)
    # Somebody else's server may want TLS.
    psql = clients.newest("psql", tls=target.external)
    words = [psql, "--no-psqlrc", *(["--command", arguments.command] if arguments.command else [])]
    shell.replace(words, postgres.tool_environment(target.database_url))


if __name__ == "__main__":
    sys.exit(command.run(main))
