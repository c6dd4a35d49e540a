"""Defaults of columns, compared by the value that PostgreSQL makes of them."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scripts.core.models import comparable, wording
from scripts.core.models.comparable import Default, Read
from scripts.core.postgres import connections, sql
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.schema.compare import Difference
from scripts.core.settings import Settings

UNSTATED = ": the models do not state its default "
_NOW = wording.without_quoted(r"\b(?:CURRENT_TIMESTAMP|transaction_timestamp\(\))(?!\()")
_ZONE = re.compile(rf"\btimezone\(({wording.LITERAL}(?:::text)?), now\(\)\)")
_SEQUENCE = re.compile(rf"nextval\(({wording.LITERAL})::regclass\)")


def compare(files: Callable[[], Settings], expected: Read, found: Read) -> tuple[list[Difference], list[str]]:
    """Return the defaults that have another value, and a note for each that the models do not state.

    `files` returns a database of the revision files. It is asked only if texts differ.
    """
    differences, notes = list[Difference](), list[str]()
    with ExitStack() as stack:

        @cache
        def connection() -> Connection:
            return stack.enter_context(connections.connect(files(), isolation_level="AUTOCOMMIT"))

        for name in sorted(expected.defaults.keys() | found.defaults.keys()):
            wanted, is_ = expected.defaults.get(name), found.defaults.get(name)
            if name not in expected.owned.objects or name not in found.owned.objects:
                continue
            if wanted is None and is_ is not None:
                notes.append(f"{name}{UNSTATED}{' '.join(is_.expression.split())}")
            elif wanted is not None and not (
                is_ and (_count_alone(name, expected, found) or _is_same_value(connection, wanted, is_))
            ):
                difference = f"{name}, default", "structure", wanted.expression, is_ and is_.expression
                differences.append(Difference(*difference))  # type: ignore[arg-type]
    return differences, notes


def _count_alone(column: str, *sides: Read) -> bool:
    """Return whether the column counts with a sequence of its own in each. Sequences are compared themselves."""
    for side in sides:
        found = _SEQUENCE.fullmatch(side.defaults[column].expression)
        name = found[1][1:-1].replace("''", "'").removeprefix("public.") if found else ""
        table, part = comparable.owner(side.schema.objects.get(f"sequence {name}", ""))
        if column != f"table {table}, column {part}":
            return False
    return True


def _is_same_value(connect: Callable[[], Connection], wanted: Default, found: Default) -> bool:
    both = wanted.expression, found.expression
    if both[0] == both[1]:
        return True
    texts = [_timeless(one, wanted.type) for one in both]
    if texts[0] == texts[1]:
        return True
    column = spelled(wanted.type)
    table = "CREATE TEMP TABLE pair (a {} DEFAULT {}, b {} DEFAULT {})"
    trial, connection = compose(table, column, spelled(both[0]), column, spelled(both[1])), connect()
    sql.run(connection, Sql("BEGIN"))
    try:
        sql.run(connection, trial)
        # PostgreSQL computes what is constant before it explains.
        explained = sql.run(connection, Sql("EXPLAIN (VERBOSE, FORMAT JSON) INSERT INTO pair DEFAULT VALUES"))
        (plan,) = explained.scalar_one()
    except DBAPIError:  # a value does not fit the type
        return False
    finally:
        sql.run(connection, Sql("ROLLBACK"))
    values = [_timeless(one, wanted.type) for one in plan["Plan"]["Plans"][0]["Output"]]
    return values[0] == values[1]


def _timeless(expression: str, column_type: str) -> str:
    """Return an expression with one word for the time of the transaction's begin.

    LOCALTIMESTAMP has no time zone. Only a text shows that.
    """
    plain = wording.replaced(_NOW, "now()", wording.plain(expression))
    is_time = column_type.startswith(("timestamp", "date", "time"))
    return "now()" if is_time and plain == "LOCALTIMESTAMP" else _ZONE.sub(r"(now() AT TIME ZONE \1)", plain)
