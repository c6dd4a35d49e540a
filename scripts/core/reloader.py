"""The application in development: it is started again when its code changes, and after it has failed."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from scripts.core import ROOT, messages, subprocesses
from scripts.core.errors import INTERRUPTED

TICK = 0.1
"""Seconds between two looks at the process and the folders."""


def failure_file(runtime: str) -> Path:
    """Return the file that says why the application does not run. In a container nothing else uses /tmp."""
    return (Path(gettempdir()) if runtime == "docker" else ROOT / ".postgres") / "app.failed"


def failure(runtime: str) -> str:
    """Return why the application does not run; nothing if it runs or nothing is known."""
    with suppress(OSError):
        return failure_file(runtime).read_text(encoding="utf-8")
    return ""


def run(
    words: Sequence[str], environment: Mapping[str, str], folders: Sequence[Path], failed: Path, *, missing: str
) -> int:
    """Run a program until it succeeds or we are interrupted. Return its exit code.

    A changed Python file in `folders` starts it again. After a failure it waits for one, and `failed` says so. Raise
    UserError that says to do `missing` if the program is not there.
    """
    failed.unlink(missing_ok=True)
    changes = _changes(folders, environment)
    next(changes)  # From here on they are seen. The program has not read its files yet.
    code = 0
    try:
        with subprocesses.guard() as note:
            while True:
                with subprocesses.group(words, environment, note, missing) as process:
                    changed = next(names for names in changes if names or process.poll() is not None)
                    code = process.returncode
                if not changed and code == 0:
                    return 0
                changed = changed or _wait(code, changes, failed)
                messages.send(f"Starting the application again: {_named(changed)} changed.")
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        failed.unlink(missing_ok=True)


def _wait(code: int, changes: Iterator[list[str]], failed: Path) -> list[str]:
    """Wait for a change after a failure, and return what changed."""
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    said = f"The application ended with {how}. It starts again when its code changes."
    messages.send(said)
    failed.parent.mkdir(exist_ok=True)
    failed.write_text(said, encoding="utf-8")
    changed = next(filter(None, changes))
    failed.unlink()
    return changed


def _named(paths: Sequence[str]) -> str:
    first = os.path.relpath(min(paths), ROOT)
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"


def _changes(folders: Sequence[Path], environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield the changed Python files at every tick, also when there are none.

    A folder that git removes and makes again is another one for the system. It counts as changed, and is watched again.
    """
    while True:
        seen = _identities(folders)
        for found in _watch(seen, environment.get("WATCHFILES_FORCE_POLLING", "").lower()) if seen else _ticks():
            now = _identities(folders)
            if now != seen:
                yield [str(path) for path in folders if now.get(path) != seen.get(path)]
                break
            yield [path for _, path in found]


def _watch(folders: Iterable[Path], polling: str) -> Iterator[set[tuple[Any, str]]]:
    import watchfiles

    is_code = watchfiles.DefaultFilter(ignore_dirs=())
    return watchfiles.watch(
        *folders,
        watch_filter=lambda change, path: path.endswith(".py") and is_code(change, path),
        rust_timeout=int(TICK * 1000),
        yield_on_timeout=True,
        force_polling=polling not in ("false", "disable", "disabled") if polling else None,
        ignore_permission_denied=True,
    )


def _ticks() -> Iterator[set[tuple[Any, str]]]:
    while True:
        time.sleep(TICK)
        yield set()


def _identities(folders: Sequence[Path]) -> dict[Path, int]:
    """Return the number of each folder that exists."""
    found = {}
    for path in folders:
        with suppress(OSError):
            found[path] = path.stat().st_ino
    return found
