"""Columns and tables that go with what their rows have there, and the user's word for that: ACCEPT=drop.users.mail."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scripts.core import overrides
from scripts.core.cli import console
from scripts.core.errors import UserError
from scripts.core.models import columns, comparable, computed
from scripts.core.models.compare import ModelComparison
from scripts.core.schema.compare import Difference
from scripts.core.typed_names import typed


@dataclass(frozen=True)
class Gone:
    """A column or a table that the revision files make and the models do not describe."""

    table: str
    column: str
    """Empty for a table."""
    definition: str

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table

    @property
    def whole(self) -> str:
        """Return the name with its schema."""
        return self.name if len(comparable.parts(self.table)) > 1 else f"public.{self.name}"

    @property
    def key(self) -> tuple[str, ...]:
        """Return its kind and the parts of its name: a column of "sales" may be called as a table in schema sales."""
        return ("column" if self.column else "table", *comparable.parts(self.name))

    @property
    def within(self) -> str:
        """Return where its name is unique: a column's table, or nothing."""
        return self.table if self.column else ""


def find(differences: Sequence[Difference]) -> Iterator[Gone]:
    for one in (one for one in differences if one.expected is None and one.found is not None):
        if found := column(one.name):
            yield Gone(found["table"], found["name"], str(one.found))
        elif found := comparable.TABLE.fullmatch(one.name):
            yield Gone(found["name"], "", str(one.found))


def replaced(found: ModelComparison) -> list[Gone]:
    """Return the columns that are dropped and added again, because PostgreSQL cannot keep their values."""
    missed = [(column(name), was) for name, was, wanted in columns.changed(found) if computed.loses_values(was, wanted)]
    return [Gone(name["table"], name["name"], was[0]) for name, was in missed if name]


def require_word(left: Sequence[Gone], replaced: Sequence[Gone], twins: dict[Gone, str], given: str) -> None:
    """Raise UserError if the user has not agreed that these go with their values.

    `replaced` are dropped and added again. `twins`: what may be a new name; `given`: what the user says of others.
    """
    agreed, every = _agreed([*left, *replaced]), [*left, *replaced]
    silent = [one for one in every if one not in agreed and not is_yes(f"Drop {_shown(one, every)}? [y/N]")]
    if not silent:
        return
    more = [typed(f"{one.name}:{twins[one]}") for one in silent if twins.get(one)]
    renames = shlex.quote(",".join([*[given] * bool(given), *more]))
    drop = f"ACCEPT={shlex.quote(','.join(typed(f'drop.{_shown(one, every)}') for one in silent))}"
    names = [", ".join(_shown(one, every) for one in silent if one in of) for of in (left, replaced)]
    sentences = [
        f"The models no longer describe {names[0]}.",
        f"PostgreSQL cannot change {names[1]} into what the models describe: it is dropped and added again.",
    ]
    raise UserError(
        " ".join(line for line, of in zip(sentences, names, strict=True) if of),
        why="A revision that drops them deletes what the rows have there.",
        do=f"if they have a new name: RENAME={renames}; to drop them: {drop}" if more else f"to drop them: {drop}",
        state="no revision was written.",
    )


def _agreed(every: Sequence[Gone]) -> set[Gone]:
    """Return what the words of the user agree to. A word that names two agrees to the one that it names in full."""
    found = set[Gone]()
    for word in overrides.words():
        whole = [one for one in every if word in _words(one.whole)]
        short = [one for one in every if word in _words(one.name)]
        found |= {*whole} if len(whole) == 1 else {*short} if len(short) == 1 and not whole else set()
    return found


def _words(name: str) -> list[str]:
    """Return what agrees to a drop: a shell may have taken the quotes away."""
    return [f"drop.{name}", f"drop.{'.'.join(comparable.parts(name))}"]


def _shown(one: Gone, every: Sequence[Gone]) -> str:
    """Return the name, with its schema if another one has the same."""
    return one.whole if [other.key[1:] for other in every].count(one.key[1:]) > 1 else one.name


def is_yes(question: str) -> bool:
    return console.ask(question).strip().lower() in ("y", "yes")


def column(name: str) -> re.Match[str] | None:
    found = comparable.PART.fullmatch(name)
    return found if found and found["kind"] == "column" else None
