"""The variables that an existing project reads: from its .env, and from the names of URLs in its code."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from dotenv import dotenv_values
from sqlalchemy.engine import URL

from scripts.core.adopt.found import NOT_LOOKED_AT, ExistingProject
from scripts.core.settings import TARGET

FILES = (".env", ".env.example", ".env.sample", ".env.dist", "example.env")
"""The first one that is there is read."""
URL_OF_A_DATABASE = re.compile(r"(?:postgres(?:ql)?|sqlite)(?:\+(\w+))?:")
NAMES_A_URL = re.compile(r"\w*(?:database|db|sql_?alchemy|postgres)\w*(?:url|uri|dsn|conn)", re.IGNORECASE)
PARTS = re.compile(r"(?:DB|DATABASE|PG|POSTGRES|SQL\w*)_?(HOST|SERVER|PORT|USER|USERNAME|PASS|PASSWORD|NAME|DB)")
"""Variables with one part of the address, and the part."""
DRIVERS = ("asyncpg", "psycopg", "psycopg2", "pg8000")
KNOWN = ("DATABASE_URL", "MIGRATION_DATABASE_URL")
OURS = re.compile(r"(APP_ENV|RUNTIME|COMPOSE_\w+|HOST_[UG]ID|APP_DRIVER|SCRATCH_\w+|BACKUP_\w+|\w+_IMAGE)")
MOST = 8
"""Names that are tried."""


def read(project: ExistingProject) -> tuple[str, dict[str, str]]:
    """Return the file with the project's variables, and its values."""
    name = next((one for one in FILES if (project.folder / one).is_file()), "")
    of_flask = dotenv_values(project.folder / ".flaskenv", encoding="utf-8-sig")
    values = dotenv_values(project.folder / name, encoding="utf-8-sig") if name else {}
    return name, {one: value for one, value in {**of_flask, **values}.items() if value}


def drivers(values: Mapping[str, str], requirements: Iterable[str], env: str) -> str:
    """Return the driver that the project's URLs name, or that its packages have."""
    named = (found[1] for one in values.values() if (found := URL_OF_A_DATABASE.match(one)))
    packages = {re.split(r"[^\w-]", one.strip())[0].lower() for one in requirements}
    given = next((one for one in named if one in DRIVERS), "")
    has = [one for one in DRIVERS if {one, f"{one}-binary"} & packages]
    if "async" not in env:
        has = [one for one in has if one != "asyncpg"]
    return given or next(iter(has), "psycopg2")


def for_throwaway(values: Mapping[str, str], url: URL, more: Iterable[str]) -> dict[str, str]:
    """Return the project's variables, with the address of a throwaway database in place of the project's."""
    whole = url.render_as_string(hide_password=False)
    parts = {"HOST": url.host, "PORT": url.port, "USER": url.username, "PASSWORD": url.password, "NAME": url.database}
    parts |= {"SERVER": url.host, "USERNAME": url.username, "PASS": url.password, "DB": url.database}
    given = {name: str(parts[found[1]] or "") for name in values if (found := PARTS.fullmatch(name))}
    urls = [name for name, value in values.items() if URL_OF_A_DATABASE.match(value)]
    return {**values, **given, **dict.fromkeys([*KNOWN, *urls, *more], whole), "POSTGRES_SERVER": str(url.host)}


def with_urls(values: Mapping[str, str]) -> list[str]:
    """Return the variables besides DATABASE_URL that have the URL of a database."""
    return [name for name, value in values.items() if URL_OF_A_DATABASE.match(value) and name not in KNOWN]


def kept_by_the_application(values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that do not name the database. This environment names it by itself."""
    out = (TARGET, PARTS, OURS)
    return {
        name: value
        for name, value in values.items()
        if not any(one.fullmatch(name) for one in out) and not URL_OF_A_DATABASE.match(value)
    }


def names(folder: Path) -> list[str]:
    """Return the names in the project's code that a variable with the URL of its database may have."""
    found = Counter[str]()
    for path in sorted(folder.rglob("*.py")):
        if not NOT_LOOKED_AT & {*path.parts}:
            found.update(_strings(path))
    return [name for name, _ in found.most_common(MOST)]


def _strings(path: Path) -> Iterable[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if not NAMES_A_URL.search(text):
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMES_A_URL.fullmatch(node.value):
            yield node.value.upper()
