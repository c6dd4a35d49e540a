"""A finding is a hazard at a place. A subject is a traced revision, in which hazards look for findings."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from scripts.core.migrate.steps import Commit
from scripts.core.plan.table_sizes import BLOCK, WARN, Weights
from scripts.core.plan.trace import Statement
from scripts.core.postgres.lock_modes import ACCESS_EXCLUSIVE, BLOCKS, ROW_EXCLUSIVE
from scripts.core.schema.catalog_snapshot import (
    EMPTY,
    Change,
    Column,
    Constraint,
    Index,
    Label,
    Relation,
    Snapshot,
    Thing,
)
from scripts.core.schema.compare import Difference

T = TypeVar("T", Relation, Index, Column, Constraint, Label)


@dataclass(frozen=True)
class Finding:
    id: str
    """The id of the hazard, such as H03."""
    hazard: str
    severity: str
    """block, warn or note."""
    relation: str
    """The table that it is about."""
    blocks: str
    """What it blocks: reads (and so writes too), writes or none."""
    line: int
    message: str
    instead: str
    """The safe way: a text, then Alembic code."""
    silenced: str | None = None
    """The author's reason why it is safe here."""


@dataclass(frozen=True)
class Mainline:
    """What the running code expects of the schema: the models of the main branch."""

    tables: Mapping[str, Mapping[str, bool]]
    """The columns of each table (named schema.table, as in models), and whether an INSERT may leave each out."""
    sure: bool
    """False: there is no main branch, so these are the models of this checkout. The running code may be older."""


@dataclass(frozen=True)
class Undone:
    """The result of a revision's downgrade, run on the copy right after its upgrade."""

    failure: str | None = None
    is_of_another_owner: bool = False
    """The downgrade failed because it drops an extension that another role owns."""
    differences: Collection[Difference] = ()
    """Differences of the schema after the downgrade from the one before the upgrade, without what newer downgrades left
    behind."""


@dataclass(frozen=True)
class Subject:
    """A revision, as hazards see it."""

    statements: list[Statement]
    before: Snapshot
    after: Snapshot
    weights: Weights
    definitions: Mapping[Thing, str]
    """Definitions of new constraints, indexes and defaults, as PostgreSQL prints them."""
    mainline: Callable[[], Mainline]
    """Called only when a hazard needs it."""
    undone: Undone = field(default_factory=Undone)
    downgrade_line: int = 1
    commits: Collection[Commit] = ()
    """What the revision committed before its end."""
    sessions: Collection[int] = ()
    """Lines at which it opened another session."""
    computed: Collection[int] = ()
    """Lines with a column of which the server's version decides whether it is stored."""
    final: Snapshot = EMPTY
    """The schema after the last pending revision."""

    def existing(self, statement: Statement, kind: type[T]) -> Iterator[tuple[Change, T | None, T | None]]:
        """Yield a statement's changes to objects of a kind, in relations that existed before the revision."""
        for change, was, now in self.every(statement, kind):
            if change.old:
                yield change, was, now

    def every(self, statement: Statement, kind: type[T]) -> Iterator[tuple[Change, T | None, T | None]]:
        for change in statement.changes:
            if isinstance(change.before or change.after, kind):
                yield change, change.before, change.after  # type: ignore[misc]

    def found(self, name: str) -> Relation | None:
        """Return the relation of that name that existed before the revision, or None."""
        return self._names.get(name)

    @cached_property
    def _names(self) -> dict[str, Relation]:
        return {relation.name: relation for relation in self.before.relations.values()}

    def is_view(self, name: str) -> bool:
        relation = self.found(name)
        return relation is not None and relation.kind in ("v", "m", "f")

    def expects(self, table: str, column: str | None = None) -> str | None:
        """Return how likely the running code uses a table or column: block, warn, or None if it does not."""
        if self.is_view(table):
            return WARN
        fields = self._fields(table)
        if fields is not None and (column is None or column in fields):
            return BLOCK
        return None if self.mainline().sure else WARN

    def may_leave_empty(self, table: str, column: str) -> str | None:
        """Return how likely the running code inserts rows without a value for a column."""
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
        """Return the blocking locks that the transaction took before this statement, as table to mode.

        They are held until its end.
        """
        return self._held.get(id(statement), {})

    @cached_property
    def _held(self) -> dict[int, dict[str, str]]:
        """The result of `holding` for each statement, by identity. Statements between two locks share one."""
        found: dict[int, dict[str, str]] = {}
        held, transaction = dict[str, str](), None
        for statement in self.statements:
            if statement.transaction != transaction:
                held, transaction = {}, statement.transaction
            found[id(statement)] = held
            if taken := self.locks(statement):
                held = _strongest(held, taken)
        return found

    def writing(self, statement: Statement) -> frozenset[str]:
        """Return the tables that the transaction has locked for writing rows, up to this statement."""
        return self._writing.get(id(statement), frozenset())

    @cached_property
    def _writing(self) -> dict[int, frozenset[str]]:
        found: dict[int, frozenset[str]] = {}
        locked, transaction = frozenset[str](), None
        for statement in self.statements:
            if statement.transaction != transaction:
                locked, transaction = frozenset(), statement.transaction
            if new := {lock["relation"] for lock in statement.locks if lock["mode"] == ROW_EXCLUSIVE}:
                locked = locked | new
            found[id(statement)] = locked
        return found

    def locked(self, statement: Statement) -> list[str]:
        """Return the tables that the statement's whole transaction blocks."""
        return sorted(self._locked.get(statement.transaction, ()))

    @cached_property
    def _locked(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for statement in self.statements:
            found.setdefault(statement.transaction, set()).update(self.locks(statement))
        return found

    def strongest(self, statement: Statement) -> dict[str, str]:
        """Return the strongest lock on each table while the statement runs."""
        return _strongest(self.holding(statement), self.locks(statement))

    def locks(self, statement: Statement) -> dict[str, str]:
        """Return the strongest blocking lock that the statement takes on each table that existed before."""
        taken: dict[str, str] = {}
        for mode in BLOCKS:  # the weakest first
            taken |= {lock["relation"]: mode for lock in statement.locks if lock["mode"] == mode}
        return {name: mode for name, mode in taken.items() if self.found(name)}


def _strongest(*taken: Mapping[str, str]) -> dict[str, str]:
    modes = list(BLOCKS)
    tables = {name for locks in taken for name in locks}
    return {name: max((one[name] for one in taken if name in one), key=modes.index) for name in sorted(tables)}


def blocks(mode: str) -> str:
    """Return what a lock blocks, as findings name it."""
    return "reads" if mode == ACCESS_EXCLUSIVE else "writes"


def whom(mode: str) -> str:
    """Return what a lock blocks, for a text."""
    return BLOCKS[mode]
