"""Run the application, with the URL of its database in DATABASE_URL.

    make app

`make up` runs it with --watch: in development, a changed Python file in `packages` of [tool.app] starts it again. After
a failure it waits for such a change. `make app` does not do this: your debugger keeps its prompt.
"""

import sys
from collections.abc import Sequence

from scripts.core import ROOT, application, messages, reloader, settings, subprocesses
from scripts.core.cli import console, entry_point


def main(argv: Sequence[str] | None = None) -> int:
    parser = entry_point.parser(__doc__, "scripts.app")
    parser.add_argument("--watch", action="store_true", help="start it again when its code changes")
    arguments = parser.parse_args(argv)

    database = settings.load_application()
    environment = settings.application_environment(database)
    environment["PYTHONPATH"] = application.python_path()
    console.hand_over()
    declared, missing = application.read(), "correct command in [tool.app] of pyproject.toml"
    if not (arguments.watch and database.app_env == "development"):
        subprocesses.replace(declared.command_words, environment, missing)
    folders = [ROOT / name for name in declared.packages]
    failed = reloader.failure_file(database.runtime)
    with messages.sent_to(console.say):
        return reloader.run(declared.command_words, environment, folders, failed, missing=missing)


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
