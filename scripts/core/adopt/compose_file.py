"""The services that a project's Compose file names. Only plain lines are understood, such as `image: redis:8`."""

import json
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""Compose reads the first one that is there."""
_LINE = re.compile(r"( *)(- )?(?:([\w.\"'-]+):(?: +|$))?(.*)")
_NAMES_DATABASE = re.compile(r"postgres|^pg|database|^db_|sqlalchemy", re.IGNORECASE)
"""Variables with the address of the database, which the application gets from here."""
OURS = 17
"""The major version of POSTGRES_IMAGE and POSTGRES_MAJOR, unless they are set."""
DATABASE = re.compile(r"postg|pgvector|timescale|citus|paradedb", re.IGNORECASE)


@dataclass
class Service:
    name: str
    keys: dict[str, str] = field(default_factory=dict)
    """Its keys with the values that stand on their lines."""
    items: dict[str, list[str]] = field(default_factory=dict)
    """The items of its lists."""

    @property
    def image(self) -> str:
        return self.keys.get("image", "")

    @property
    def is_database(self) -> bool:
        return bool(DATABASE.search(self.image))

    @property
    def command(self) -> str:
        given = self.keys.get("command", "")
        if given.startswith("["):
            try:
                return shlex.join(map(str, json.loads(given)))
            except ValueError:
                return shlex.join(one.strip(" \"'") for one in given.strip("[]").split(","))
        return given or shlex.join(self.items.get("command", []))

    @property
    def variables(self) -> list[str]:
        """Return the names of the variables in its environment."""
        return [re.split(r"[=:]", one)[0].strip() for one in self.items.get("environment", [])]

    @property
    def serves(self) -> bool:
        """Return whether this is the project's own image, with a command, which others can reach."""
        return "build" in self.keys and "ports" in self.keys and bool(self.command)


@dataclass
class ComposeFile:
    name: str = ""
    services: list[Service] = field(default_factory=list)

    def __str__(self) -> str:
        every = (f"{one.name} ({one.image or 'built'})" for one in self.services)
        return f"{self.name}: {', '.join(every)}" if self.services else f"{self.name}: no services that can be read"

    def to_do(self, variables: Collection[str]) -> Iterator[str]:
        """Yield what is left to do for its services. `variables`: those that .env gets."""
        database = next((one.image for one in self.services if one.is_database), "")
        name, _, tag = database.rpartition("/")[2].partition(":")
        major = int(found[0]) if (found := re.search(r"\d+", tag)) else OURS
        if database and (name != "postgres" or major > OURS):
            newer = f", and POSTGRES_MAJOR={major} in the Dockerfile" if major > OURS else ""
            yield f"Its database runs {database}: set POSTGRES_IMAGE={database} in .env{newer}."
        more = [one.name for one in self.services if not one.is_database and not one.serves]
        own = dict.fromkeys(name for one in self.services if one.serves for name in one.variables)
        lacking = [one for one in own if one not in variables and not _NAMES_DATABASE.search(one)]
        if more or lacking:
            given = f"; its variables {', '.join(lacking)} into .env" if lacking else ""
            yield f"Services ({', '.join(more) or 'none'}) go to docker-compose.override.yml{given}: docs/services.md"


def read(folder: Path) -> ComposeFile:
    """Return the services of a project. A file that is written in another way has none."""
    name = next((one for one in FILES if (folder / one).is_file()), "")
    if not name:
        return ComposeFile()
    text = (folder / name).read_text(encoding="utf-8", errors="replace")
    return ComposeFile(name, [*_services(text)])


def _services(text: str) -> Iterator[Service]:
    """Yield the services. `depths`: the columns of a service's name, and of its keys."""
    inside, depths, service, key = False, list[int](), None, ""
    for line in text.expandtabs().splitlines():
        indent, dash, name, value = _parts(line)
        if not (dash or name or value):
            continue
        if not indent and not dash:
            inside, service = name == "services", None
        elif inside and name and not dash and indent <= (depths or [indent])[0]:
            service, depths, key = Service(name), [indent], ""
            yield service
        elif service:
            key = _add(service, depths, key, (indent, dash, name, value))


def _add(service: Service, depths: list[int], key: str, parts: tuple[int, str, str, str]) -> str:
    """Add a line to a service. Return the key to which the next lines belong."""
    indent, dash, name, value = parts
    if dash and key and indent >= depths[-1]:
        service.items.setdefault(key, []).append(f"{name}: {value}" if name else value)
        return key
    if name and len(depths) == 1:
        depths.append(indent)
    if name and indent == depths[1]:
        service.keys[name] = value
        return name
    if name and key:
        service.items.setdefault(key, []).append(f"{name}: {value}")
    return key


def _parts(line: str) -> tuple[int, str, str, str]:
    """Return the column of a line, its dash, its key and its value."""
    found = _LINE.fullmatch(re.sub(r"(^|\s)#.*", "", line).rstrip())
    if not found:
        return 0, "", "", ""
    value = found[4].strip()
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return len(found[1]), found[2] or "", (found[3] or "").strip("\"'"), value[1:-1] if is_quoted else value
