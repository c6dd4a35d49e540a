"""A finding: a hazard at a place. And what a hazard is given to look at: one revision, as it was traced."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from scripts.core.migrate.steps import Commit
from scripts.core.plan.table_sizes import BLOCK, WARN, Weights
from scripts.core.plan.trace import Statement
from scripts.core.postgres.lock_modes import BLOCKS
from scripts.core.schema.catalog_snapshot import Change, Column, Constraint, Index, Label, Relation, Snapshot, Thing

T = TypeVar("T", Relation, Index, Column, Constraint, Label)


@dataclass(frozen=True)
class Finding:
    id: str
    """Of the hazard, such as H03."""
    hazard: str
    severity: str
    """block, warn or note."""
    relation: str
    """The table that it is about."""
    blocks: str
    """Whom: reads (which is writes too), writes or none."""
    line: int
    message: str
    instead: str
    """The safe way: words, then Alembic code."""
    silenced: str | None = None
    """Why the author says that it is safe here."""


@dataclass(frozen=True)
class Mainline:
    """What the running code expects of the schema: the models of the main branch."""

    tables: Mapping[str, Mapping[str, bool]]
    """Columns of each table, by names as models have them (schema.table), and whether each may be NULL."""
    sure: bool
    """False: they are the models of this checkout, for want of a main branch; the running code may be older."""


@dataclass(frozen=True)
class Undone:
    """What became of a revision's downgrade, tried on the copy right after its upgrade."""

    failure: str | None = None
    is_of_another_owner: bool = False
    """It failed because it drops an extension that another role owns."""
    differences: Collection[str] = ()
    """Between the schema before the upgrade and after the downgrade, in words."""


@dataclass(frozen=True)
class Subject:
    """A revision, as hazards look at it."""

    statements: list[Statement]
    before: Snapshot
    after: Snapshot
    weights: Weights
    definitions: Mapping[Thing, str]
    """Texts of new constraints, indexes and defaults, as PostgreSQL prints them."""
    mainline: Callable[[], Mainline]
    """Read when a hazard asks for it."""
    undone: Undone = field(default_factory=Undone)
    downgrade_line: int = 1
    commits: Collection[Commit] = ()
    """What the revision committed before it was through."""
    sessions: Collection[int] = ()
    """Lines where it opened another session."""

    def existing(self, statement: Statement, kind: type[T]) -> Iterator[tuple[Change, T | None, T | None]]:
        """Changes by a statement to things of a kind, of relations that the revision found."""
        for change, was, now in self.every(statement, kind):
            if change.old:
                yield change, was, now

    def every(self, statement: Statement, kind: type[T]) -> Iterator[tuple[Change, T | None, T | None]]:
        for change in statement.changes:
            if isinstance(change.before or change.after, kind):
                yield change, change.before, change.after  # type: ignore[misc]

    def found(self, name: str) -> Relation | None:
        """The relation of that name that the revision found; None for one that it made."""
        return self._names.get(name)

    @cached_property
    def _names(self) -> dict[str, Relation]:
        return {relation.name: relation for relation in self.before.relations.values()}

    def is_view(self, name: str) -> bool:
        relation = self.found(name)
        return relation is not None and relation.kind in ("v", "m", "f")

    def expects(self, table: str, column: str | None = None) -> str | None:
        """How sure it is that running code uses a table, or a column of it: block, warn, or None when it does not."""
        if self.is_view(table):
            return WARN
        fields = self._fields(table)
        if fields is not None and (column is None or column in fields):
            return BLOCK
        return None if self.mainline().sure else WARN

    def may_leave_empty(self, table: str, column: str) -> str | None:
        """The same, of inserting rows without a value for a column."""
        fields = self._fields(table)
        if fields is None:
            return None if self.mainline().sure else WARN
        return None if not fields.get(column, True) else BLOCK

    def _fields(self, table: str) -> Mapping[str, bool] | None:
        relation = self.found(table)
        if relation is None:
            return None
        name = f"{relation.schema}.{relation.bare}" if relation.schema else relation.bare
        return self.mainline().tables.get(name)

    def holding(self, statement: Statement) -> dict[str, str]:
        """The blocking locks that were taken before this statement in its transaction and are held until its end:
        table to mode.
        """
        held: dict[str, str] = {}
        for earlier in self.statements[: self.statements.index(statement)]:
            if earlier.transaction == statement.transaction:
                held |= self.locks(earlier)
        return held

    def locks(self, statement: Statement) -> dict[str, str]:
        """The strongest blocking lock that the statement takes on each table that the revision found."""
        taken: dict[str, str] = {}
        for mode in BLOCKS:  # the weakest first
            taken |= {lock["relation"]: mode for lock in statement.locks if lock["mode"] == mode}
        return {name: mode for name, mode in taken.items() if self.found(name)}


def blocks(mode: str) -> str:
    """Whom a lock keeps out, as findings have it."""
    return "reads" if mode == "AccessExclusiveLock" else "writes"


def whom(mode: str) -> str:
    """The same, as people say it."""
    return BLOCKS[mode]
