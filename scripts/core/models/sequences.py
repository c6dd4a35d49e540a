"""Sequences, and the columns that take their values from one: identity columns and serial ones."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from scripts.core.models import columns, comparable
from scripts.core.models.compare import ModelComparison
from scripts.core.models.step import ModelStep
from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql, compose, spelled

_OPTIONS = re.compile(
    r"(?P<type>\w+) START (?P<start>\S+) INCREMENT (?P<by>\S+) MINVALUE (?P<least>\S+) MAXVALUE (?P<most>\S+)"
    r" CACHE (?P<cache>\S+)(?P<cycle> CYCLE)?(?P<unlogged> UNLOGGED)?(?: OWNED BY (?P<column>.+))?"
)
_WORDS = {"type": "AS", "start": "START", "by": "INCREMENT", "least": "MINVALUE", "most": "MAXVALUE", "cache": "CACHE"}
_BITS = {"smallint": 16, "integer": 32, "bigint": 64}
_Owned = tuple[str, re.Match[str]]
"""A sequence and its options."""


def steps(found: ModelComparison) -> Iterator[ModelStep]:
    """Yield the steps for what differs. They come first, because a column's default may use a sequence."""
    done = set[str]()
    for column, was, wanted in columns.changed(found):
        if was["identity"] != wanted["identity"]:
            done.add(column)
            yield _identity(column, was, wanted, found)
    for one in (one for one in found.differences if one.name.startswith("sequence ")):
        before, after = (_OPTIONS.fullmatch(text or "") for text in (one.found, one.expected))
        there = before or after
        column, name = _column(there), one.name.removeprefix("sequence ")
        if not column or (before and after):
            up, down = _changed(spelled(name), before, after), _changed(spelled(name), after, before)
            yield from [ModelStep(up, down, first=True)] * bool(up)
        elif there and column not in done and all(column in side.objects for side in (found.made, found.described)):
            plain, serial = _plain(column, name), _serial(column, (name, there))
            yield ModelStep(serial, plain, first=True) if after else ModelStep(plain, serial, first=True)


def _column(options: re.Match[str] | None) -> str:
    """Return the column that owns the sequence, as in Schema."""
    if not options or not options["column"]:
        return ""
    owner = re.fullmatch(
        rf"(?:public\.)?(?P<table>{comparable.NAME})\.(?P<name>{comparable.QUOTED})", options["column"]
    )
    return f"table {owner['table']}, column {owner['name']}" if owner else ""


def _changed(name: Sql, was: re.Match[str] | None, wanted: re.Match[str] | None) -> list[Sql]:
    if not wanted:
        return [compose("DROP SEQUENCE {}", name)]
    if not was:
        return [compose("CREATE SEQUENCE {}{}", name, spelled(_options(wanted)))]
    given = {word: wanted[key] for key, word in _WORDS.items() if was[key] != wanted[key]}
    words = [f"{word} {value}" for word, value in given.items()]
    words += [["NO CYCLE", "CYCLE"][bool(wanted["cycle"])]] * (was["cycle"] != wanted["cycle"])
    return [compose("ALTER SEQUENCE {} {}", name, spelled(" ".join(words)))] if words else []


def _options(wanted: re.Match[str], but: str = "") -> str:
    """Return the options that PostgreSQL does not choose by itself."""
    usual = _usual(wanted["type"], is_down=wanted["by"].startswith("-"))
    given = [f" {word} {wanted[key]}" for key, word in _WORDS.items() if wanted[key] != usual[key] and key != but]
    return "".join([*given, *[" CYCLE"] * bool(wanted["cycle"])])


def _usual(kind: str, *, is_down: bool) -> dict[str, str]:
    most = 2 ** (_BITS[kind] - 1)
    least, most = (-most, -1) if is_down else (1, most - 1)
    start = most if is_down else least
    return {"type": "bigint", "start": f"{start}", "by": "1", "least": f"{least}", "most": f"{most}", "cache": "1"}


def _identity(column: str, was: re.Match[str], wanted: re.Match[str], found: ModelComparison) -> ModelStep:
    before, after = (_owned(column, one.objects) for one in (found.made, found.described))
    serial = found.made_defaults.get(column), found.described_defaults.get(column)
    up = _to(column, was, wanted, (before, after), serial)
    return ModelStep(up, _to(column, wanted, was, (after, before), serial[::-1]), first=True)


def _owned(column: str, objects: dict[str, str]) -> _Owned | None:
    """Return the name and the options of the sequence that the column owns."""
    for name, definition in objects.items():
        options = _OPTIONS.fullmatch(definition) if name.startswith("sequence ") else None
        if options and _column(options) == column:
            return name.removeprefix("sequence "), options
    return None


def _to(
    column: str,
    was: re.Match[str],
    wanted: re.Match[str],
    owned: Sequence[_Owned | None],
    defaults: Sequence[str | None],
) -> list[Sql]:
    table, name = columns.names(column)
    alter = compose("ALTER TABLE {} ALTER {}", table, name)
    null = [compose("{} {} NOT NULL", alter, Sql("SET" if wanted["not_null"] else "DROP"))]
    null *= was["not_null"] != wanted["not_null"]
    if was["identity"] and wanted["identity"]:
        return [*null, compose("{} SET GENERATED {}", alter, Sql(wanted["identity"]))]
    if was["identity"]:
        again = _serial(column, owned[1]) if owned[1] else []
        default = [compose("{} SET DEFAULT {}", alter, spelled(defaults[1]))] if defaults[1] is not None else []
        return [compose("{} DROP IDENTITY", alter), *null, *(again or default)]
    before = [compose("{} DROP DEFAULT", alter)] * (defaults[0] is not None)
    if owned[0]:
        before.append(compose("DROP SEQUENCE {}", spelled(owned[0][0])))
    options = spelled(f" (SEQUENCE NAME {owned[1][0]}{_options(owned[1][1], 'type')})") if owned[1] else Sql()
    add = compose("{} ADD GENERATED {} AS IDENTITY{}", alter, Sql(wanted["identity"]), options)
    return list(chain(null, before, [add], _value(column, owned[1])))


def _serial(column: str, owned: _Owned) -> list[Sql]:
    """Return the statements that let a column take its values from a sequence that it owns."""
    table, name = columns.names(column)
    create = compose("CREATE SEQUENCE {}{} OWNED BY {}.{}", spelled(owned[0]), spelled(_options(owned[1])), table, name)
    default = compose("ALTER TABLE {} ALTER {} SET DEFAULT nextval({})", table, name, sql.value(owned[0]))
    return [create, default, *_value(column, owned)]


def _plain(column: str, sequence: str) -> list[Sql]:
    table, name = columns.names(column)
    return [
        compose("ALTER TABLE {} ALTER {} DROP DEFAULT", table, name),
        compose("DROP SEQUENCE {}", spelled(sequence)),
    ]


def _value(column: str, owned: _Owned | None) -> list[Sql]:
    """Return the statement after which the next value is beyond those of the rows."""
    if not owned:
        return []
    (table, name), options = columns.names(column), owned[1]
    most, sign = ("min", "<=") if options["by"].startswith("-") else ("max", ">=")
    last = compose("{}({})", Sql(most), name)
    given = sql.value(owned[0]), last, table, last, Sql(sign), Sql(options["start"])
    return [compose("SELECT setval({}, {}) FROM {} HAVING {} {} {}", *given)]
