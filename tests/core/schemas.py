"""A schema with every kind of object, and many single changes of it."""

from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scripts.core.postgres import connections, sql
from scripts.core.postgres.sql import Sql
from scripts.core.schema import fingerprint
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings

FOLDER = Path(__file__).parent
STATEMENTS = (FOLDER / "everything.sql").read_text().split(";\n")[:-1]


def changes() -> list[tuple[str, list[str]]]:
    """Statements, and the lines that tell of each."""
    found: list[tuple[str, list[str]]] = []
    for line in (FOLDER / "changes.txt").read_text().splitlines()[1:]:
        if line.startswith(" "):
            found[-1][1].append(line.strip())
        else:
            found.append((line, []))
    return found


def run(connection: Connection, statement: str) -> None:
    sql.run(connection, Sql(statement))


def make(settings: Settings, statements: list[str]) -> None:
    """In that order, but for what cannot be made yet: it comes later."""
    with connections.connect(settings) as connection:
        while statements:
            refused = {one: why for one in statements if (why := _refused(connection, one))}
            assert len(refused) < len(statements), refused
            statements = list(refused)
        connection.commit()


def read(settings: Settings) -> Schema:
    with connections.connect(settings) as connection:
        return fingerprint.read(connection)


def _refused(connection: Connection, statement: str) -> str:
    try:
        with connection.begin_nested():
            run(connection, statement)
    except DBAPIError as error:
        return str(error.orig)
    return ""
