"""Tables and their parts, of which the kinds of changes are made."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, String, Table, text
from sqlalchemy.dialects import postgresql as pg

Model = Callable[[MetaData, str], Any]
"""Adds a table of that name to the metadata, and what belongs to it."""

LONG = "l" * 60


def table(*parts: Any, **options: Any) -> Model:
    """A table with a key. A function among the parts gets the table's name."""

    def add(metadata: MetaData, name: str) -> None:
        made = [
            part(name) if callable(part) and not isinstance(part, sa.sql.base.Executable) else part for part in parts
        ]
        Table(name, metadata, Column("id", Integer, primary_key=True), *made, **options)

    return add


def and_also(more: Model, of: Model) -> Model:
    return lambda metadata, name: (of(metadata, name), more(metadata, name))


def c(*words: Any, **options: Any) -> Column[Any]:
    return Column("c", *words, **options)


def enum(*labels: str, array: bool = False, **options: Any) -> Callable[[str], Column[Any]]:
    def column(name: str) -> Column[Any]:
        one = sa.Enum(*labels, name=f"{name}_e")
        return c(pg.ARRAY(one) if array else one, **options)

    return column


def index(*of: Any, **options: Any) -> Callable[[str], Index]:
    return lambda name: Index(f"{name}_i", *(text(one) if " " in one or "(" in one else one for one in of), **options)


def key(**options: Any) -> Callable[[str], Column[Any]]:
    return lambda name: c(ForeignKey(f"{name}.id", **options))


def other(metadata: MetaData, name: str) -> None:
    Table(f"{name}_2", metadata, Column("a", Integer))


def in_schema(metadata: MetaData, name: str) -> None:
    Table(name, metadata, Column("a", Integer), schema="tenant")


def keyed_by_c(metadata: MetaData, name: str) -> None:
    Table(name, metadata, Column("id", Integer, nullable=False), c(Integer, primary_key=True, autoincrement=False))


def sequence(**options: Any) -> Model:
    return lambda metadata, name: sa.Sequence(f"{name}_s", metadata=metadata, **options)


def domain(check: str) -> Callable[[str], Column[Any]]:
    return lambda name: c(pg.DOMAIN(f"{name}_d", Integer, check=check))


def computed(expression: str) -> Column[Any]:
    return c(Integer, sa.Computed(expression, persisted=True))


def moods(*labels: str, **options: Any) -> Model:
    """Two tables with one enum: in an array, a default, a check and indexes."""

    def add(metadata: MetaData, name: str) -> None:
        one = sa.Enum(*labels, name=f"{name}_E", metadata=metadata)
        first = "'" + labels[0].replace("'", "''") + "'"
        Table(
            name,
            metadata,
            Column("id", Integer, primary_key=True),
            Column("C", one, server_default=text(first), nullable=False, index=True),
            Column("many", pg.ARRAY(one), server_default=text("'{}'")),
            CheckConstraint(f"\"C\" IN ({first}, 'b')", name="k"),
            Index(f"{name}_i", "id", postgresql_where=text(f'"C" = {first}')),
        )
        Table(f"{name}_2", metadata, Column("a", one, unique=True), **options)
        Table(f"{name}_3", metadata, Column("a", one, ForeignKey(f"{name}_2.a")))

    return add


def other_enum(name: str) -> Column[Any]:
    return c(sa.Enum("a", "z", name=f"{name}_f"), server_default="z")


def by_identity(metadata: MetaData, name: str) -> None:
    Table(name, metadata, Column("id", Integer, sa.Identity(), primary_key=True))


def without_serial(metadata: MetaData, name: str) -> None:
    Table(name, metadata, Column("id", Integer, primary_key=True, autoincrement=False))


def parted_beside(metadata: MetaData, name: str) -> None:
    key = Column("id", Integer, primary_key=True)
    Table(f"{name}_2", metadata, key, c(Integer, index=True), postgresql_partition_by="RANGE (id)")


def percent(metadata: MetaData, name: str) -> None:
    Table(
        f"{name}_2",
        metadata,
        Column("a%", String, sa.Computed("'%' || '\\:x'", persisted=True), comment="50%"),
        Column("b", String, CheckConstraint("b LIKE '5%'", name="k"), server_default="it's 50%"),
        Column("c", String, server_default=text("'%(x)s'")),
        Index(f"{name}%", text("(b || '%')")),
        comment="%s",
    )


def long_column(name: str) -> Column[Any]:
    return Column(LONG, ForeignKey(f"{name}.id"), unique=True, index=True)


def long(metadata: MetaData, name: str) -> None:
    key = Column("id", Integer, primary_key=True)
    Table(f"{name}_{LONG[:50]}", metadata, key, Column(LONG, ForeignKey(f"{name}.id"), unique=True, index=True))


def circle(metadata: MetaData, name: str) -> None:
    for one, other in ((name, f"{name}_2"), (f"{name}_2", name)):
        foreign = ForeignKey(f"{other}.id", use_alter=one == name, name=f"{one}_other")
        Table(one, metadata, Column("id", Integer, primary_key=True), Column("o", Integer, foreign))


def odd_schema(metadata: MetaData, name: str) -> None:
    Table(f'{name}"', metadata, Column("id", Integer, primary_key=True), c(String, index=True), schema="o'x")


def odd_schema_more(metadata: MetaData, name: str) -> None:
    odd_schema(metadata, name)
    metadata.tables[f"o'x.{name}\""].append_column(Column("d", Integer, server_default="5"))


def counted(**options: Any) -> Model:
    def add(metadata: MetaData, name: str) -> None:
        one = sa.Sequence(f"{name}_s", metadata=metadata, **options)
        Table(name, metadata, Column("id", Integer, one, server_default=one.next_value(), primary_key=True))

    return add


def parted(*columns: Any) -> Model:
    return table(*columns, postgresql_partition_by="LIST (id)")
