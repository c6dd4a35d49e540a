"""Creates the objects of the models one by one, so that one which fails hides no other. This runs in the child."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, Constraint, Index, MetaData, Table, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import (
    AddConstraint,
    CreateIndex,
    CreateSequence,
    CreateTable,
    ExecutableDDLElement,
    SetColumnComment,
    SetConstraintComment,
    SetTableComment,
    sort_tables_and_constraints,
)

from scripts.core import redaction, sqlstates
from scripts.core.errors import UserError
from scripts.core.models import described
from scripts.core.models.described import Owned
from scripts.core.plan import missing_extensions
from scripts.core.postgres import connections, sql
from scripts.core.postgres.sql import spelled
from scripts.core.revisions import models
from scripts.core.settings import Settings

EVENT = "DDL event"
TWIN = "another one"
"""A table that has the name of another metadata's table. It hides nothing of that one."""
_EXISTS = {
    sqlstates.DUPLICATE_OBJECT,
    sqlstates.DUPLICATE_FUNCTION,
    sqlstates.DUPLICATE_SCHEMA,
    sqlstates.DUPLICATE_TABLE,
}

_BACK = text("""SELECT format('ALTER TABLE %s SET SCHEMA %I', c.oid::regclass, CAST(:schema AS text))
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relname = :name AND relkind IN ('r', 'p', 'f')
    AND nspname = (SELECT 'aside_' || oid FROM pg_namespace WHERE nspname = :schema)""")


@dataclass(frozen=True)
class Uncreated:
    """An object of the models that PostgreSQL or SQLAlchemy refused to create."""

    owned: Owned
    part: str
    """The part of a table, such as "index ix_users_email"; empty for the whole."""
    error: str
    may_lack: bool = False
    """Whether PostgreSQL refused it because something is undefined, as without an extension."""

    @property
    def name(self) -> str:
        """Return the name as in Schema."""
        space = [] if self.owned.schema == "public" else [self.owned.schema]
        whole = f"{self.owned.kind} {'.'.join(map(sql.typed, [*space, self.owned.name]))}"
        return f"{whole}, {self.part}" if self.part and self.part != EVENT else whole

    @property
    def line(self) -> str:
        """Return the error on one line, without the place in the file, which changes with other lines there."""
        if self.part == EVENT:
            said = f"{EVENT} of {self.owned.name or 'the metadata'} fails: {self.error}"
        elif self.part == TWIN:
            said = f"table {self.owned.name} is there twice: one {self.error.removeprefix('it ')}"
        else:
            what = f"{self.part} of {self.owned.name}" if self.part else f"{self.owned.kind} {self.owned.name}"
            said = f"{what} cannot be created: {self.error}"
        return " ".join(said.split())

    def __str__(self) -> str:
        where = f" ({self.owned.place})" if self.owned.place else ""
        return f"{self.line}{where}"


def _shown(constraint: Constraint) -> str:
    return sql.typed(constraint.name) if isinstance(constraint.name, str) else "without a name"


def _no_part(_compiler: object) -> bool:
    """Keep a constraint out of CREATE TABLE."""
    return False


def create(copy: Settings, views: Sequence[Owned]) -> list[Uncreated]:
    """Create each object of the models but `views` by itself, and return those that were refused.

    The DDL events of the models run as `MetaData.create_all` runs them. Raise UserError if the models cannot be
    imported.
    """
    metadata = models.metadata()
    with connections.connect(copy, isolation_level="AUTOCOMMIT") as connection:
        owned = {(one.schema, one.name): one for one in described.of(metadata, connection)}
        left_out = {(one.schema, one.name) for one in views}
        return _Creation(connection, owned, left_out).all(metadata)


@dataclass
class _Creation:
    connection: Connection
    owned: dict[tuple[str, str], Owned]
    left_out: set[tuple[str, str]]
    failures: list[Uncreated] = field(default_factory=list)
    without: set[Table] = field(default_factory=set)
    """Tables that could not be created."""

    def all(self, metadata: MetaData) -> list[Uncreated]:
        every = [table for table in described.tables(metadata) if self._name(table) not in self.left_out]
        self._events(metadata, metadata.dispatch.before_create, tables=every)
        for sequence in described.sequences(metadata):
            self._execute(sequence, "", CreateSequence(sequence, if_not_exists=True))
        ordered: Any = sort_tables_and_constraints(every)  # type: ignore[no-untyped-call]
        for table, keys in ordered:
            if table is not None:
                self._table(table, keys)
            for key in keys if table is None else ():
                self._constraint(key.table, key)
        for table in (table for table in every if table not in self.without):
            self._constraint_comments(table)
        self._events(metadata, metadata.dispatch.after_create, tables=every)
        known = {*map(self._name, metadata.tables.values())}
        for table in models.elsewhere():
            here = Owned("table", *self._name(table), models.place_of(table))
            part = TWIN if self._name(table) in known else ""
            self.failures.append(Uncreated(here, part, "it belongs to a MetaData that [tool.app] does not name"))
        return self.failures

    def _table(self, table: Table, keys: Any) -> None:
        self._events(table, table.dispatch.before_create)
        if not self._created(table, keys):
            return
        for index in sorted(table.indexes, key=self._text):
            self._execute(table, f"index {sql.typed(str(index.name))}", CreateIndex(index))
        if table.comment is not None:
            self._execute(table, "comment", SetTableComment(table))
        for column in (column for column in table.columns if column.comment is not None):
            self._execute(table, f"column {sql.typed(column.name)}, comment", SetColumnComment(column))
        self._events(table, table.dispatch.after_create)

    def _constraint_comments(self, table: Table) -> None:
        failed = {one.part for one in self.failures if one.owned.name == table.name}
        for one in table._sorted_constraints:
            part = f"constraint {_shown(one)}"
            if one.comment is not None and part not in failed:
                self._execute(table, f"{part}, comment", SetConstraintComment(one))

    def _text(self, index: Index) -> str:
        """Return what orders the indexes of a table, which are a set: two may have one name."""
        try:
            return str(CreateIndex(index).compile(dialect=self.connection.dialect))
        except SQLAlchemyError:
            return str(index.name)

    def _created(self, table: Table, keys: Any) -> bool:
        """Create a table. If that fails, create it without its constraints, and then each of them by itself."""
        whole = CreateTable(table, include_foreign_key_constraints=keys)
        if self._is_done(whole):
            return True
        dialect: Any = self.connection.dialect
        compiler = dialect.ddl_compiler(dialect, None)
        left_out = {table.primary_key, *(table.foreign_key_constraints - set(keys))}
        every: list[Constraint] = table._sorted_constraints
        apart = [one for one in every if one not in left_out and one._should_create_for_compiler(compiler)]
        rules = [one._create_rule for one in apart]
        for one in apart:
            one._create_rule = _no_part
        is_made = self._execute(table, "", CreateTable(table, include_foreign_key_constraints=[]))
        for one, rule in zip(apart, rules, strict=True):
            one._create_rule = rule
            if is_made:
                self._constraint(table, one)
        if not is_made:
            self._take_back(table)
        return is_made

    def _is_done(self, ddl: ExecutableDDLElement) -> bool:
        try:
            ddl._invoke_with(self.connection)  # type: ignore[no-untyped-call]
        except UserError:
            raise
        except Exception:  # also of the models' own code, such as the name of a type
            return False
        return True

    def _constraint(self, table: Table, one: Constraint) -> None:
        if table not in self.without:
            part = f"constraint {_shown(one)}"
            rule = one._create_rule
            added = AddConstraint(one)
            one._create_rule = rule  # AddConstraint takes the constraint out of the table's own statement
            self._execute(table, part, added)

    def _take_back(self, table: Table) -> None:
        """Let the table of the revision files stand in for one that cannot be created, because others refer to it."""
        self.without.add(table)
        schema, name = self._name(table)
        with suppress(DBAPIError):
            for statement in self.connection.scalars(_BACK, {"schema": schema, "name": name}).all():
                sql.run(self.connection, spelled(statement))

    def _events(self, target: Any, listeners: Any, **values: Any) -> None:
        """Call the listeners one by one. They create types, and what the application has registered."""
        # SQLAlchemy looks for a type of the schema "*" in every schema.
        looks = all(schema != "*" for schema, _ in self.owned)
        values |= {"checkfirst": looks, "_is_metadata_operation": True}
        for listener in listeners:
            self._try(target, EVENT, partial(listener, target, self.connection, **values))

    def _execute(self, of: Any, part: str, ddl: ExecutableDDLElement) -> bool:
        return self._try(of, part, partial(ddl._invoke_with, self.connection))  # as create_all does: it heeds ddl_if

    def _try(self, of: Any, part: str, work: Callable[[], object]) -> bool:
        try:
            work()
        except DBAPIError as error:
            if part == EVENT and sqlstates.of(error) in _EXISTS:
                return True
            self._fail(of, part, redaction.message(error), may_lack=missing_extensions.may_be_needed(error))
        except SQLAlchemyError as error:
            self._fail(of, part, str(error))
        except UserError:
            raise
        except Exception as error:
            self._fail(of, part, models.cause(error))
        else:
            return True
        return False

    def _fail(self, of: Any, part: str, error: str, *, may_lack: bool = False) -> None:
        here = self.owned.get(self._name(of), Owned("table", *self._name(of)))
        self.failures.append(Uncreated(here, part, error, may_lack))

    def _name(self, of: Any) -> tuple[str, str]:
        schema = getattr(of, "schema", None) or str(self.connection.dialect.default_schema_name)
        return schema, str(getattr(of, "name", ""))
