"""The schema of a database that one session reads again and again. Only what has changed meanwhile is read again."""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection

from scripts.core.postgres import driver, sql
from scripts.core.postgres.driver import Session
from scripts.core.postgres.sql import Sql, compose
from scripts.core.schema import fingerprint
from scripts.core.schema.catalogs import query, unknown, versions
from scripts.core.schema.fingerprint import Definitions, Schema

SMALL = 500
"""Objects. One plan is good for any smaller schema, because PostgreSQL's own catalogs are larger."""
_STATE = "schema_reading"
"""The name of the state, in the information about a session."""
_OWN = (Sql("$1"), Sql("$2"), Sql("$3"))


@dataclass
class _Readings:
    """What the session has read, and what it has planned."""

    rows: Definitions = field(default_factory=dict)
    schema: Schema = field(default_factory=lambda: Schema({}, {}, {}))
    versions: dict[int, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    """Names of the relations."""
    left_out: tuple[int | None, ...] = ()
    catalogs: unknown.Catalogs = ()
    planned: dict[str, int] = field(default_factory=dict)
    """The prepared statements, and how many objects the schema had then."""


def read(connection: Connection) -> Schema:
    """Return what `fingerprint.read` returns, and remember it in this session.

    PostgreSQL plans the statements once. If only relations can have changed, it reads only those whose rows in the
    catalogs have changed.
    """
    state: _Readings = connection.info.setdefault(_STATE, _Readings())
    with fingerprint.aside(connection):
        now = _versions(connection, state)
        changed = {number for number, _ in now.items() ^ state.versions.items()}
        if not state.rows or state.catalogs or changed:
            rows = _changed(connection, state, now, changed)
            state.schema, state.rows, state.versions = fingerprint.made(rows), rows, now
            state.names = {int(number): name for name, number in rows["number"].items()}
        _forget_if_outgrown(connection, state)
    return state.schema


def _versions(connection: Connection, state: _Readings) -> dict[int, int]:
    _prepare(connection, state, "schema_versions", Sql(versions.statement(*fingerprint.OWN)))
    return dict(driver.rows(driver.session(connection), "EXECUTE schema_versions"))


def _changed(connection: Connection, state: _Readings, now: Collection[int], changed: Collection[int]) -> Definitions:
    """Return all rows of the schema, of which only the changed relations are read if that is enough."""
    if _are_relations(driver.session(connection), state, now, changed):
        fingerprint.pin(driver.session(connection))
        return _part(connection, state, now, changed) or _whole(connection, state)
    state.left_out, catalogs = fingerprint.looked_up(connection)
    if catalogs != state.catalogs:
        state.catalogs = catalogs
        _forget(connection, state, "schema_reading")
    return _whole(connection, state)


def _whole(connection: Connection, state: _Readings) -> Definitions:
    statement = query.statement(state.catalogs, *_OWN)
    _prepare(connection, state, "schema_reading (oid, oid, oid)", statement)
    found = driver.rows(driver.session(connection), "EXECUTE schema_reading (%s, %s, %s)", *state.left_out)
    return fingerprint.sort(found)


def _are_relations(session: Session, state: _Readings, now: Collection[int], changed: Collection[int]) -> bool:
    """Return whether nothing but the user's relations has changed, and those that are gone are known."""
    gone, there = ({number for number in changed if (number in now) is is_there} for is_there in (False, True))
    if not state.rows or state.catalogs or versions.REST in changed or not gone <= state.names.keys():
        return False
    if not set(state.left_out).isdisjoint(changed):
        return False
    return bool(driver.rows(session, versions.ARE_RELATIONS, *[list(there)] * 2)[0][0])


def _part(
    connection: Connection, state: _Readings, now: Collection[int], changed: Collection[int]
) -> Definitions | None:
    """Return the rows with the changed relations read again. Return None if others may print something else now."""
    session, there = driver.session(connection), [number for number in changed if number in now]
    _prepare(connection, state, "schema_part (oid, oid, oid, oid[])", query.part(*_OWN, Sql("$4")))
    execute = "EXECUTE schema_part (%s, %s, %s, %s)"
    found = fingerprint.sort(driver.rows(session, execute, *state.left_out, there))
    were = {state.names[number]: number for number in changed if number in state.names}
    before = _of(state.rows, were)
    if _names_change(session, before, found, {name: number for name, number in were.items() if number in now}):
        return None
    left = {kind: rows.copy() for kind, rows in state.rows.items()}
    for kind, rows in left.items():
        for name in before[kind]:
            del rows[name]
        rows.update(found[kind])
    return left


def _of(rows: Definitions, relations: Collection[str]) -> Definitions:
    """Return the rows of these relations and of their parts."""
    parts = tuple(f"{name}, " for name in relations)
    return {
        kind: {name: row for name, row in found.items() if name in relations or name.startswith(parts)}
        for kind, found in rows.items()
    }


def _names_change(session: Session, before: Definitions, found: Definitions, remaining: dict[str, int]) -> bool:
    """Return whether definitions of others may print one of the remaining relations in another way than before.

    A name that is gone beside a new one may be a rename. With other columns, a view may print other aliases.
    """
    for name, number in remaining.items():
        was, now = ({*_of(rows, [name])["object"]} for rows in (before, found))
        if found["number"].get(name) != str(number) or (was - now and now - was):
            return True
    same = {name for name in remaining if name in found["order"] and found["order"][name] == before["order"].get(name)}
    other = [number for name, number in remaining.items() if name not in same and not name.startswith("sequence ")]
    return bool(other and driver.rows(session, versions.ARE_USED, other)[0][0])


def _prepare(connection: Connection, state: _Readings, name: str, statement: Sql) -> None:
    """Plan a statement the first time."""
    key = name.partition(" ")[0]
    if key not in state.planned:
        sql.run(connection, compose("PREPARE {} AS {}", Sql(name), statement))
        state.planned[key] = 0


def _forget_if_outgrown(connection: Connection, state: _Readings) -> None:
    """Forget the plans if the schema has grown to twice the size that they were made for."""
    objects = len(state.schema.objects)
    for key, planned in list(state.planned.items()):
        state.planned[key] = planned or max(objects, SMALL)
        if objects > 2 * state.planned[key]:
            _forget(connection, state, key)


def _forget(connection: Connection, state: _Readings, key: str) -> None:
    if state.planned.pop(key, None) is not None:
        sql.run(connection, compose("DEALLOCATE {}", Sql(key)))
