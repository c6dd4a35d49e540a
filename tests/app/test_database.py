"""app/database.py"""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    NullPool,
    Table,
    UniqueConstraint,
    create_engine,
    text,
)
from sqlalchemy.engine import URL

from app.database import NAMING_CONVENTION, make_engine
from app.settings import AppSettings


@pytest.fixture
def engine(new_database: Callable[..., URL]) -> Iterator[Engine]:
    engine = make_engine(AppSettings(new_database(), 5))
    yield engine
    engine.dispose()


def test_the_server_sees_who_is_connected(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW application_name")) == "app"


def test_a_connection_that_the_server_has_cut_is_replaced(engine: Engine) -> None:
    with engine.connect() as connection:
        first = connection.scalar(text("SELECT pg_backend_pid()"))
    with create_engine(engine.url, poolclass=NullPool).begin() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 1000)"), {"pid": first})

    with engine.connect() as connection:
        second = connection.scalar(text("SELECT pg_backend_pid()"))

    assert second != first


def test_what_is_not_named_gets_a_name_by_the_convention() -> None:
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    Table("parents", metadata, Column("id", Integer, primary_key=True))
    table = Table(
        "children",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("parent_id", ForeignKey("parents.id"), index=True),
        Column("a", Integer),
        Column("b", Integer),
        UniqueConstraint("a", "b"),
        CheckConstraint("a > b", name="order"),
    )
    Index(None, table.c.a, table.c.b)

    names = [constraint.name for constraint in table.constraints] + [index.name for index in table.indexes]

    assert set(names) == {
        "pk_children",
        "fk_children_parent_id_parents",
        "uq_children_a_b",
        "ck_children_order",
        "ix_children_parent_id",
        "ix_children_a_b",
    }
