"""Start, stop or show the embedded servers. `make up`, `make down` and `make ps` use it with RUNTIME=embedded.

python -m scripts.servers start
"""

import sys
from collections.abc import Sequence

from scripts.core import settings
from scripts.core.cli import console, entry_point
from scripts.core.postgres import embedded
from scripts.core.postgres.embedded import Cluster


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.servers")
    parser.add_argument("action", choices=("start", "stop", "show"))
    action = parser.parse_args(argv).action

    target = settings.load()
    if action == "start" and not target.external:
        start(embedded.target(target))
    clusters = (embedded.target(target), embedded.scratch())
    if action == "stop":
        for cluster in clusters:
            if embedded.stop(cluster):
                console.done(f"Stopped the {cluster.name} server.")
    if action == "show":
        console.facts([(cluster.name, state(embedded.running(cluster))) for cluster in clusters])
    return 0


def start(cluster: Cluster) -> None:
    is_new = not cluster.data.exists()
    embedded.start(cluster)
    if is_new:
        console.done(f"Created a new, empty PostgreSQL in {cluster.data}.")


def state(port: int) -> str:
    return f"running at 127.0.0.1:{port}" if port else "not running"


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
