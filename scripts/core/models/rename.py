"""Renames and drops: what the models no longer describe is renamed or dropped only if the user says so.

Two columns of one type that swap their names are no change of a schema: the author writes that.

A rename looks like a drop and an addition. RENAME=users.mail:email names one, ACCEPT=drop.users.mail agrees to a drop,
and on a terminal both are asked for.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scripts.core import typed_names
from scripts.core.errors import USAGE, UserError
from scripts.core.models import answers, columns, comparable, computed, gone
from scripts.core.models.compare import ModelComparison
from scripts.core.models.gone import Gone
from scripts.core.models.step import ModelStep
from scripts.core.postgres.sql import Sql, compose, spelled
from scripts.core.schema.compare import Difference, Renaming
from scripts.core.schema.fingerprint import Schema
from scripts.core.typed_names import typed


@dataclass(frozen=True)
class Rename:
    gone: Gone
    now: str

    @property
    def table(self) -> str:
        """Return the new name of a table, with its schema."""
        space = self.gone.table.removesuffix(_last(self.gone.table))
        return f"{space}{self.now}"

    @property
    def step(self) -> ModelStep:
        """Return the statements, up and down."""
        table, was, now = spelled(self.gone.table), spelled(self.gone.column), spelled(self.now)
        if self.gone.column:
            up, down = (compose("ALTER TABLE {} RENAME {} TO {}", table, *pair) for pair in ((was, now), (now, was)))
            return ModelStep([up], [down], first=True)
        up = compose("ALTER TABLE {} RENAME TO {}", table, now)
        down = compose("ALTER TABLE {} RENAME TO {}", spelled(self.table), spelled(_last(self.gone.table)))
        return ModelStep([up], [down], first=True)


def tables(found: ModelComparison, given: str) -> list[Rename]:
    """Return the renames of tables, as the user says. `given` is RENAME, such as users.mail:email,posts:articles.

    Raise UserError if RENAME gives a table a name that the models do not add.
    """
    left, added = [one for one in gone.find(found.differences) if not one.column], _added(found)
    of = {comparable.parts(one.name) for one in left}
    renames = [
        _named(*pair, left, added) for pair in answers.split(given, ":", "RENAME") if comparable.parts(pair[0]) in of
    ]
    return _asked(renames, left, found)


def decide(found: ModelComparison, given: str, renamed: Sequence[Rename]) -> tuple[list[Rename], list[Gone]]:
    """Return the renames of columns, and what is dropped, as the user says.

    `found` is from after the renames of tables, which are `renamed`. RENAME may name a column with its old table.

    Raise UserError if RENAME names nothing of that kind, or if something would be dropped without the user's word.
    """
    every, added = list(gone.find(found.differences)), _added(found)
    now = {comparable.parts(one.gone.table): one.table for one in renamed}
    pairs = [(_in_new_table(was, now), name) for was, name in answers.split(given, ":", "RENAME")]
    renames = [_named(*pair, every, added) for pair in pairs if comparable.parts(pair[0]) not in now]
    _asked(renames, [one for one in every if one.column], found)
    left = [one for one in every if one not in [rename.gone for rename in renames]]
    twins, taken = dict[Gone, str](), {(rename.gone.within, rename.now) for rename in renames}
    for one in left:
        twins[one] = next((now for now in _twins(one, added, found) if (one.within, now) not in taken), "")
        taken.add((one.within, twins[one]))
    gone.require_word(left, gone.replaced(found), twins, given)
    return renames, left


def _added(found: ModelComparison) -> list[Difference]:
    return [one for one in found.differences if one.found is None]


def _in_new_table(name: str, now: dict[tuple[str, ...], str]) -> str:
    """Return the name of a column with the new name of its table."""
    table = now.get(comparable.parts(name)[:-1])
    return f"{table}.{_last(name)}" if table else name


def _last(name: str) -> str:
    """Return the last part of a name, with its quotes."""
    return str(re.findall(comparable.QUOTED, name)[-1])


def _asked(renames: list[Rename], every: Sequence[Gone], found: ModelComparison) -> list[Rename]:
    """Add the renames that the user confirms on a terminal, and return all."""
    for one in (one for one in every if one not in [rename.gone for rename in renames]):
        taken = {(rename.gone.within, rename.now) for rename in renames}
        for now in (name for name in _twins(one, _added(found), found) if (one.within, name) not in taken):
            if gone.is_yes(f"Is {now} the new name of {one.name}? [y/N]"):
                renames.append(Rename(one, now))
                break
    return renames


def names(pairs: Sequence[Renaming]) -> Iterator[ModelStep]:
    """Yield the steps that rename constraints, indexes and sequences after their column or table."""
    for was, now in pairs:
        part, other = comparable.PART.fullmatch(was), comparable.PART.fullmatch(now)
        if part and other:
            up, down = (
                _renaming(part, *pair) for pair in ((part["name"], other["name"]), (other["name"], part["name"]))
            )
        elif was.startswith("sequence ") and now.startswith("sequence "):
            old, new = was.removeprefix("sequence "), now.removeprefix("sequence ")
            given = "ALTER SEQUENCE {} RENAME TO {}"
            up, down = (compose(given, spelled(one), spelled(_last(to))) for one, to in ((old, new), (new, old)))
        else:
            continue
        yield ModelStep([up], [down], first=True)


def _renaming(part: re.Match[str], was: str, now: str) -> Sql:
    if part["kind"] == "constraint":
        return compose("ALTER TABLE {} RENAME CONSTRAINT {} TO {}", *map(spelled, (part["table"], was, now)))
    space = part["table"].removesuffix(_last(part["table"]))
    return compose("ALTER INDEX {} RENAME TO {}", spelled(f"{space}{was}"), spelled(now))


def _twins(of: Gone, added: Sequence[Difference], found: ModelComparison) -> Iterator[str]:
    """Yield the names of added columns of the same type, or of added tables with mostly the same columns."""
    for one in added:
        for name in _added_beside(of, one.name):
            if of.column:
                is_twin = _type(str(one.expected)) == _type(of.definition) and _keeps(of, one)
            else:
                was, now = _columns(found.made, of.table), _columns(found.described, one.name.removeprefix("table "))
                is_twin = len(was & now) * 2 >= max(len(was), len(now), 1)
            if is_twin:
                yield name


def _columns(schema: Schema, table: str) -> set[tuple[str, str]]:
    start = f"table {table}, column "
    return {
        (name.removeprefix(start), _type(definition))
        for name, definition in schema.objects.items()
        if name.startswith(start) and not name.endswith(", comment")
    }


def _type(definition: str) -> str:
    return re.split(r" (?:COLLATE|GENERATED|NOT NULL|INHERITED)", definition)[0]


def _named(was: str, now: str, every: Sequence[Gone], added: Sequence[Difference]) -> Rename:
    one = next((one for one in every if comparable.parts(one.name) == comparable.parts(was)), None)
    called = typed_names.plain(now)
    names = [other.name for other in added if one and _keeps(one, other)]
    new = next(filter(None, (_new_name(one, called, name) for name in names)), "") if one else ""
    if not one or not new:
        raise UserError(
            f"RENAME={typed(was)}:{now} does not fit.",
            why="The old name must be one that the models no longer describe, and the new name one that they add."
            " A column that is computed takes no values of another one.",
            do="""RENAME=table.column:new_column or RENAME=table:new_table; with quotes: RENAME='t."a,b":c'""",
            state="no revision was written.",
            code=USAGE,
        )
    return Rename(one, new)


def _new_name(of: Gone, now: str, added: str) -> str:
    """Return what `now` names if that was added, with its quotes, or nothing."""
    found = next(_added_beside(of, added), "")
    return found if comparable.parts(found) == comparable.parts(now) else ""


def _keeps(of: Gone, added: Difference) -> bool:
    """Return whether a column keeps its values under the name of an added one."""
    was, wanted = (columns.COLUMN.fullmatch(text) for text in (of.definition, str(added.expected)))
    return not (of.column and was and wanted and computed.loses_values(was, wanted))


def _added_beside(of: Gone, added: str) -> Iterator[str]:
    """Yield the last part of the name of an added column of the same table, or of a table in the same schema."""
    column, table = gone.column(added), comparable.TABLE.fullmatch(added)
    if of.column and column and column["table"] == of.table:
        yield column["name"]
    elif not of.column and table and comparable.parts(table["name"])[:-1] == comparable.parts(of.table)[:-1]:
        yield _last(table["name"])
