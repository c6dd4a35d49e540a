"""Columns that autogenerate cannot change: of an enum without one of its labels, computed ones, and of a type that
PostgreSQL casts only with USING.

What depends on them goes before and comes back after: constraints, indexes and defaults, as the models have them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scripts.core.models import columns, comparable, computed, new_types, step, uses
from scripts.core.models.compare import ModelComparison
from scripts.core.models.step import ModelStep
from scripts.core.models.uses import Use
from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.schema import enum_labels
from scripts.core.schema.compare import Difference

_AFTER_TYPE = re.compile(r" (?:COLLATE|DEFAULT|GENERATED|NOT NULL|STORAGE|COMPRESSION|STATISTICS|WITH|INHERITED)\b")
_LONGEST = 59
"""Bytes of the name of an enum that is followed by _old."""


@dataclass(frozen=True)
class _Conversion:
    """What happens to one column, or to an enum and all columns of its type."""

    up: Sequence[Sql]
    down: Sequence[Sql]
    after: tuple[Sequence[Sql], Sequence[Sql]] = ((), ())
    """Statements, up and down, that follow those of the columns."""
    parts: Sequence[str] = field(default=())
    """The constraints and indexes that cannot stay meanwhile."""


@dataclass(frozen=True)
class _Files:
    """The schema of the files, and how it differs."""

    found: ModelComparison
    used: dict[str, list[Use]]
    connection: Connection


def relabelled(found: ModelComparison) -> list[Difference]:
    """Return the enums of which a label was removed or has another name."""
    every = [one for one in found.differences if one.name.startswith("enum ") and one.expected and one.found]
    return [one for one in every if not enum_labels.only_adds(str(one.found), str(one.expected))]


def are_needed(found: ModelComparison) -> bool:
    """Return whether there may be such columns."""
    changed = columns.changed(found)
    return bool(relabelled(found)) or any(
        was.group("type", "computed") != now.group("type", "computed") for _, was, now in changed
    )


def steps(found: ModelComparison, connection: Connection) -> Iterator[ModelStep]:
    """Yield the steps, one for all that share a constraint. `connection`: to a throwaway database of the files."""
    files = _Files(found, uses.read(connection), connection)
    for statements, _ in new_types.statements(found.differences, found.described):
        for statement in statements:
            sql.run(connection, statement)
    enums = [_relabelled(files, one) for one in relabelled(found)]
    changed = {name: (was, wanted) for name, was, wanted in columns.changed(found)}
    retyped = [name for name, (was, wanted) in changed.items() if was["type"] != wanted["type"]]
    again = {one.name for name in retyped for one in files.used.get(name, []) if one.kind == "other"}
    every = [_column(files, name, *both) for name, both in changed.items() if name not in again]
    for group in _groups([*enums, *filter(None, every)]):
        yield ModelStep(*_statements(group, found), first=True)


def _groups(every: Sequence[_Conversion]) -> list[list[_Conversion]]:
    groups = list[list[_Conversion]]()
    for one in every:
        near = [group for group in groups if any({*one.parts} & {*other.parts} for other in group)]
        groups = [group for group in groups if group not in near] + [[*chain(*near), one]]
    return groups


def _statements(every: Sequence[_Conversion], found: ModelComparison) -> tuple[list[Sql], list[Sql]]:
    names = sorted({name for one in every for name in one.parts})
    was = {name: found.made.objects.get(name) for name in names}
    tables = {name.partition(", ")[0] for name in found.described.objects}
    now = {name: found.described.objects.get(name) if name.partition(", ")[0] in tables else was[name] for name in was}

    def around(number: int, before: dict[str, str | None], after: dict[str, str | None]) -> list[Sql]:
        is_key = {name: "FOREIGN KEY" in str(was[name]) for name in names}
        drops = [
            one for name in sorted(names, key=lambda n: not is_key[n]) for one in step.part(name, before[name], None)
        ]
        adds = [one for name in sorted(names, key=lambda n: is_key[n]) for one in step.part(name, None, after[name])]
        work = [statement for one in every for statement in (one.up, one.down)[number]]
        return [*drops, *work, *(statement for one in every for statement in one.after[number]), *adds]

    return around(0, was, now), around(1, now, was)


def _relabelled(files: _Files, enum: Difference) -> _Conversion:
    found, used = files.found, files.used
    here = used.get(enum.name, [])
    name = enum.name.removeprefix("enum ")
    old = sql.typed(f"{comparable.parts(name)[-1][:_LONGEST]}_old")
    space = name.rpartition(".")[0] if len(comparable.parts(name)) > 1 else ""
    whole = spelled(f"{space}.{old}" if space else old)
    begin = [
        [
            compose("ALTER TYPE {} RENAME TO {}", spelled(name), old),
            compose("CREATE TYPE {} AS ENUM ({})", spelled(name), spelled(labels)),
        ]
        for labels in (str(enum.expected), str(enum.found))
    ]
    end = [compose("DROP TYPE {}", whole)]
    up, down, parts = begin[0], begin[1], [one.name for one in here if one.kind in ("constraint", "index")]
    for column in (one.name for one in here if one.kind == "column"):
        given = _type(found.made.objects[column])
        through = f"::text[]::{given}" if given.endswith("[]") else f"::text::{given}"
        stays = given == _type(found.described.objects.get(column, given))
        defaults = uses.default(used.get(column, []), column), found.described_defaults.get(column)
        if column not in found.described.objects:
            defaults = defaults[0], defaults[0]
        convert = partial(_retyped, column, given, through)
        up = [*up, *convert(defaults[0], defaults[1] if stays else None)]
        down = [*down, *convert(defaults[1] if stays else None, defaults[0])]
        parts += _keys(used.get(column, []), found)
    return _Conversion(up, down, (end, end), parts)


def _keys(here: Sequence[Use], found: ModelComparison) -> list[str]:
    """Return the foreign keys among the uses of a column: both their sides have the same type."""
    return [one.name for one in here if found.made.objects.get(one.name, "").startswith("FOREIGN KEY")]


def _retyped(column: str, wanted: str, cast: str, was: str | None, then: str | None) -> list[Sql]:
    table, name = columns.names(column)
    value = compose("{}{}", name, spelled(cast or f"::{wanted}"))
    alter = compose("ALTER TABLE {} ALTER {}", table, name)
    return [
        *[compose("{} DROP DEFAULT", alter)] * (was is not None),
        compose("{} TYPE {} USING {}", alter, spelled(wanted), value),
        *([compose("{} SET DEFAULT {}", alter, spelled(then))] if then is not None else []),
    ]


def _column(files: _Files, column: str, was: re.Match[str], wanted: re.Match[str]) -> _Conversion | None:
    found, here = files.found, files.used.get(column, [])
    default = uses.default(here, column), found.described_defaults.get(column)
    casts = [_cast(files.connection, *pair) for pair in ((was["type"], wanted["type"]), (wanted["type"], was["type"]))]
    if was["computed"] != wanted["computed"]:
        parts = [one.name for one in here if one.kind in ("constraint", "index")]
        up = computed.changed(column, (was, wanted), default[1], casts[0] or "", found.described)
        down = computed.changed(column, (wanted, was), default[0], casts[1] or "", found.made)
        return _Conversion(up, down, parts=parts)
    computed_from = [one.name for one in here if one.kind == "other" and comparable.PART.fullmatch(one.name)]
    if was["type"] == wanted["type"] or (casts == ["", ""] and not computed_from) or None in casts:
        return None
    up = _retyped(column, wanted["type"], str(casts[0]), *default)
    down = _retyped(column, was["type"], str(casts[1]), *default[::-1])
    parts = [one.name for one in here if found.made.objects.get(one.name, "").startswith("CHECK")]
    for name in computed_from:
        up, down = _around_computed(files, name, up, down)
        parts += [one.name for one in files.used.get(name, []) if one.kind in ("constraint", "index")]
    return _Conversion(up, down, parts=[*parts, *_keys(here, found)])


def _around_computed(files: _Files, name: str, up: list[Sql], down: list[Sql]) -> tuple[list[Sql], list[Sql]]:
    """Return the statements with what a column needs that is computed from the changed one: PostgreSQL refuses it."""
    found, drop = files.found, compose("ALTER TABLE {} DROP {}", *columns.names(name))
    made = found.made.objects[name]
    now = found.described.objects.get(name, made)
    down = [drop, *down, *computed.added(name, made, found.made)]
    was, wanted = columns.COLUMN.fullmatch(made), columns.COLUMN.fullmatch(now)
    if not was or not wanted or wanted["computed"] or not computed.is_stored(was):
        return [drop, *up, *computed.added(name, now, found.described)], down
    cast = _cast(files.connection, was["type"], wanted["type"]) or ""
    default = found.described_defaults.get(name)
    return [*computed.changed(name, (was, wanted), default, cast, found.described), *up], down


def _cast(connection: Connection, was: str, wanted: str) -> str | None:
    """Return what follows `USING column`: nothing if PostgreSQL casts by itself. None: it has no cast."""
    for cast in ("", f"::{wanted}", f"::text::{wanted}"):
        using = compose(" USING c{}", spelled(cast)) if cast else Sql()
        tried = connection.begin_nested()
        try:
            sql.run(connection, compose("CREATE TEMPORARY TABLE tried (c {})", spelled(was)))
            sql.run(connection, compose("ALTER TABLE tried ALTER c TYPE {}{}", spelled(wanted), using))
        except DBAPIError:
            continue
        else:
            return cast
        finally:
            tried.rollback()
    return None


def _type(definition: str) -> str:
    return _AFTER_TYPE.split(definition)[0]
