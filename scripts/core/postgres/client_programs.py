"""PostgreSQL's client programs: which one fits a server, and how it logs in without showing a password."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from sqlalchemy.engine import URL

from scripts.core import redaction, subprocesses, temporary_folders
from scripts.core.errors import UserError
from scripts.core.postgres import wheel

CORES = os.cpu_count() or 1
JOBS = min(4, CORES)
"""How many jobs a program runs at once."""
SMALL = 10_000_000
"""Bytes of rows. Up to this size, a second job takes more time to connect than it saves."""

ENGLISH = {"LC_ALL": "", "LANGUAGE": "", "LC_MESSAGES": "C"}
"""For the programs' own messages. The server's messages are in its own language."""

DEBIAN_WRAPPER, DEBIAN_PROGRAMS = "pg_wrapper", Path("/usr/lib/postgresql")
"""On Debian, the PATH has a Perl program that starts the real ones. It takes longer than most of them."""

_PASSFILE = "pgpass-"


def find(name: str, major: int, *, tls: bool = False) -> str:
    """Return the path of pg_dump, pg_restore ... of this major version, or else of the oldest newer one.

    `tls`: our own session uses TLS, so the program must support it. Raise UserError if no program fits. pg_dump refuses
    a newer server, and pg_restore an archive of a newer pg_dump.
    """
    here = _here(name, tls)
    fitting = sorted((found for found in here if found[0] >= major), key=lambda found: found[0])
    if fitting:
        return fitting[0][1]
    newest = max((version for version, _ in here), default=None)
    with_tls = " with TLS" if tls else ""
    raise UserError(
        f"This needs {name} of PostgreSQL {major} or newer{with_tls}. "
        + (f"The newest one here is of PostgreSQL {newest}." if newest else "There is none here."),
        why="An older program cannot read what newer servers and programs write."
        + (" The embedded PostgreSQL's programs have no TLS, and this server is reached with it." if tls else ""),
        do=f"RUNTIME=docker: set POSTGRES_MAJOR in Dockerfile to {major}, or POSTGRES_IMAGE in .env to an older server."
        f" Otherwise put PostgreSQL {major}'s client programs on the PATH.",
        check="versions",
    )


def newest(name: str, *, tls: bool = False) -> str:
    """Return the path of the newest psql ... that is installed. `tls`: prefer one that supports TLS.

    Raise UserError if none is installed.
    """
    here = _here(name, tls) or _here(name, False)
    if not here:
        raise UserError(f"{name} is not installed.", do="install PostgreSQL's client programs")
    return max(here, key=lambda found: found[0])[1]


def jobs(size: int) -> int:
    """Return how many jobs dump or restore tables of `size` bytes."""
    return JOBS if size > SMALL else 1


def major(path: str) -> int:
    """Return the major version of a program that `find` found."""
    return _major(path)


def run(program: str, url: URL, *words: str, tick: Callable[[], None] = lambda: None, options: str = "") -> str:
    """Run a program on a database. Return its error message, or nothing if it succeeded.

    Its sessions are called `alembic-dump` and have the `options`. `tick` is called repeatedly meanwhile.
    """
    with passfile(url) as environment:
        command = [program, f"--dbname={_conninfo(url, options)}", *words]
        return subprocesses.follow(command, {**environment, **ENGLISH}, tick)


def reason(said: str) -> str:
    """Return PostgreSQL's own message, or else the program's, from the output of pg_dump or pg_restore."""
    if "SSL support is not compiled in" in said:
        return "the embedded PostgreSQL's programs have no TLS; put PostgreSQL's own client programs on the PATH"
    for words in (r"(?:ERROR|FATAL): +(.+)", r"Error message from server: +(.+)", r"error: (.+)"):
        if found := re.search(words, said):
            # A message about rows may quote them.
            line = said[said.rfind("\n", 0, found.start()) + 1 : found.end()]
            return redaction.copied(found[1]) if "COPY" in line else found[1]
    return redaction.copied(said.splitlines()[-1]) if "COPY" in said else said.splitlines()[-1]


@cache
def compression(pg_dump: str) -> str:
    """Return the best quick compression of this pg_dump: zstd if it was built with it.

    A dump to an impossible path asks for it, because pg_dump checks its options first.
    """
    nowhere = f"{os.devnull}/none"
    said = subprocesses.follow([pg_dump, "--format=directory", "--compress=zstd:3", f"--file={nowhere}"], {})
    return "zstd:3" if nowhere in said else "gzip:1"


def _here(name: str, tls: bool) -> list[tuple[int, str]]:
    """Return the majors and paths of a program. On a tie the PATH comes first: the wheel's programs have no TLS."""
    wheels = [wheel.program(name)] if wheel.is_installed() and not tls else []
    return [(version, path) for path in [*_on_path(name), *wheels] if (version := _major(path))]


def _on_path(name: str) -> list[str]:
    found = shutil.which(name)
    if found and Path(found).resolve().name == DEBIAN_WRAPPER:
        return sorted(map(str, DEBIAN_PROGRAMS.glob(f"*/bin/{name}"))) or [found]
    return [found] if found else []


@cache
def _major(path: str) -> int:
    """Return the major version, or 0 if the program does not run."""
    found = re.search(r"\(PostgreSQL\) (\d+)", subprocesses.output([path, "--version"]) or "")
    return int(found[1]) if found else 0


def _conninfo(url: URL, options: str) -> str:
    """Return everything but the password as libpq's connection string, including TLS and service files."""
    parts = {"host": url.host, "port": url.port, "user": url.username, **url.query, "dbname": url.database}
    parts["application_name"] = "alembic-dump"
    parts["options"] = f"{parts.get('options', '')} {options}".strip()
    return " ".join(f"{name}={_quoted(value)}" for name, value in parts.items() if value)


def _quoted(value: object) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def passfile(url: URL) -> Iterator[dict[str, str]]:
    """Yield the variable with the path of a password file of mode 0600; see "The Password File" in libpq's manual.

    If the URL has no password, libpq looks for one itself.
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
    """Remove the files of killed processes."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PASSFILE}*-*"):
        with suppress(OSError, ValueError):
            if path.stat().st_uid == os.getuid() and not temporary_folders.runs(int(path.name.split("-")[1])):
                path.unlink()
