"""Run the application, with the URL of its database in DATABASE_URL.

make app
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.core import application, settings, subprocesses
from scripts.core.cli import console, entry_point


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "scripts.app").parse_args(argv)

    environment = settings.application_environment(settings.load_application())
    # `python`, and programs of packages such as uvicorn, are those of this Python.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment["PYTHONPATH"] = os.pathsep.join([*application.search_path(), os.environ.get("PYTHONPATH", "")]).rstrip(
        ":"
    )
    console.hand_over()
    words = application.read().command_words
    subprocesses.replace(words, environment, missing="correct command in [tool.app] of pyproject.toml")


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
