"""PostgreSQL's client programs: which one fits a server, and how they log in without a password in sight."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from sqlalchemy.engine import URL

from scripts.core import redaction, subprocesses
from scripts.core.errors import UserError
from scripts.core.postgres import wheel

CORES = os.cpu_count() or 1
JOBS = min(4, CORES)
"""How much a program does at once."""

ENGLISH = {"LC_ALL": "", "LANGUAGE": "", "LC_MESSAGES": "C"}
"""For the programs' own words. The server's are in its own language."""

_PASSFILE = "pgpass-"


def find(name: str, major: int, *, tls: bool = False) -> str:
    """The path of pg_dump, pg_restore ... of this major; where there is none, of the oldest newer one.

    `tls`: our own session uses TLS, so the program has to know it. Raises UserError when all that fit are older, or
    know no TLS: pg_dump refuses a newer server, pg_restore an archive of a newer pg_dump.
    """
    here = _here(name, tls)
    fitting = sorted((found for found in here if found[0] >= major), key=lambda found: found[0])
    if fitting:
        return fitting[0][1]
    newest = max((version for version, _ in here), default=None)
    knowing = " that knows TLS" if tls else ""
    raise UserError(
        f"This needs {name} of PostgreSQL {major} or newer{knowing}; here is "
        + (f"that of PostgreSQL {newest}." if newest else "none."),
        why="An older one does not understand what newer servers and programs write."
        + (" The embedded PostgreSQL's programs know no TLS, and this server is reached by it." if tls else ""),
        do=f"RUNTIME=docker: set POSTGRES_MAJOR in Dockerfile to {major}, or POSTGRES_IMAGE in .env to an older server;"
        f" else put PostgreSQL {major}'s client programs onto the PATH",
    )


def newest(name: str, *, tls: bool = False) -> str:
    """The path of the newest psql ... that is here. `tls`: one that knows TLS, where there is any.

    Raises UserError when there is none.
    """
    here = _here(name, tls) or _here(name, False)
    if not here:
        raise UserError(f"{name} is not installed.", do="install PostgreSQL's client programs")
    return max(here, key=lambda found: found[0])[1]


def major(path: str) -> int:
    """The major of a program that `find` found."""
    return _major(path)


def run(program: str, url: URL, *words: str, tick: Callable[[], None] = lambda: None, options: str = "") -> str:
    """Run a program on a database; what it said when it failed, else nothing.

    Its sessions are called `alembic-dump`, and have the `options`. `tick` is called now and then meanwhile.
    """
    with passfile(url) as environment:
        command = [program, f"--dbname={_conninfo(url, options)}", *words]
        return subprocesses.follow(command, {**environment, **ENGLISH}, tick)


def reason(said: str) -> str:
    """PostgreSQL's own words, else the program's, of what pg_dump or pg_restore said."""
    if "SSL support is not compiled in" in said:
        return "the embedded PostgreSQL's programs know no TLS; put PostgreSQL's own client programs onto the PATH"
    for words in (r"(?:ERROR|FATAL): +(.+)", r"Error message from server: +(.+)", r"error: (.+)"):
        if found := re.search(words, said):
            # What went wrong with rows may quote them.
            line = said[said.rfind("\n", 0, found.start()) + 1 : found.end()]
            return redaction.copied(found[1]) if "COPY" in line else found[1]
    return redaction.copied(said.splitlines()[-1]) if "COPY" in said else said.splitlines()[-1]


@cache
def compression(pg_dump: str) -> str:
    """The best that this pg_dump can do quickly: zstd where it is built with it.

    Asked by a dump into a place where there can be none: what pg_dump checks first is its options.
    """
    nowhere = f"{os.devnull}/none"
    said = subprocesses.follow([pg_dump, "--format=directory", "--compress=zstd:3", f"--file={nowhere}"], {})
    return "zstd:3" if nowhere in said else "gzip:1"


def _here(name: str, tls: bool) -> list[tuple[int, str]]:
    """The majors and paths of a program. Of one major that of the PATH is first: the wheel's know no TLS."""
    wheels = [wheel.program(name)] if wheel.is_installed() and not tls else []
    on_path = shutil.which(name)
    return [(version, path) for path in [*([on_path] if on_path else []), *wheels] if (version := _major(path))]


@cache
def _major(path: str) -> int:
    """0 where it does not run."""
    found = re.search(r"\(PostgreSQL\) (\d+)", subprocesses.output([path, "--version"]) or "")
    return int(found[1]) if found else 0


def _conninfo(url: URL, options: str) -> str:
    """Everything but the password, in libpq's own words: TLS and service files too."""
    parts = {"host": url.host, "port": url.port, "user": url.username, **url.query, "dbname": url.database}
    parts["application_name"] = "alembic-dump"
    parts["options"] = f"{parts.get('options', '')} {options}".strip()
    return " ".join(f"{name}={_quoted(value)}" for name, value in parts.items() if value)


def _quoted(value: object) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def passfile(url: URL) -> Iterator[dict[str, str]]:
    """The variable that names a file of mode 0600 with the password; see "The Password File" in libpq's documentation.

    Where the URL has no password, libpq looks for one itself.
    """
    _sweep_passfiles()
    if url.password is None:
        yield {}
        return
    with tempfile.NamedTemporaryFile("w", prefix=f"{_PASSFILE}{os.getpid()}-") as file:
        file.write("*:*:*:*:" + re.sub(r"([\\:])", r"\\\1", str(url.password)) + "\n")
        file.flush()
        yield {"PGPASSFILE": file.name, "PGPASSWORD": ""}


def _sweep_passfiles() -> None:
    """Remove what killed processes left."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PASSFILE}*-*"):
        with suppress(OSError, ValueError):
            if path.stat().st_uid == os.getuid() and not _lives(int(path.name.split("-")[1])):
                path.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
