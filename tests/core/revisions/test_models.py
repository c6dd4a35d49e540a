"""scripts/core/revisions/models.py"""

from types import SimpleNamespace

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from scripts.core.errors import UserError
from scripts.core.revisions import models

DEFINES = [
    "class User(Base):\n    __tablename__ = 'users'\n",
    "class User(Base):\n    __tablename__='users'\n",
    "likes = Table('likes', Base.metadata)\n",
    "likes = sa.Table(\n    'likes',\n",
]
DEFINES_NOT = [
    "# __tablename__ = 'users'\n",
    "from sqlalchemy import Table\n",
    "def table(name):\n    return name\n",
    'text = "class User: __tablename__ = 1"\n',
]


def test_every_model_of_the_application_is_imported() -> None:
    assert models.not_imported() == []
    assert {"users", "social_accounts", "social_pages", "social_posts"} <= set(models.metadata().tables)


@pytest.mark.parametrize("text", DEFINES)
def test_a_file_that_defines_a_table_is_recognised(text: str) -> None:
    assert models.TABLE.search(text)


@pytest.mark.parametrize("text", DEFINES_NOT)
def test_a_file_that_only_mentions_tables_is_not(text: str) -> None:
    assert not models.TABLE.search(text)


def test_a_foreign_key_to_nowhere_is_a_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = MetaData()
    Table("users", metadata, Column("id", Integer, primary_key=True))
    Table("social_pages", metadata, Column("user_id", ForeignKey("user.id")))
    monkeypatch.setattr(models, "imported", lambda: metadata)

    with pytest.raises(
        UserError, match=r"^app/models/social\.py, column social_pages\.user_id: .* table 'user'"
    ) as caught:
        models.metadata()
    assert ("Do", "correct ForeignKey('user.id') there") in caught.value.facts
    models.not_imported()  # make status goes on


def test_a_base_needs_only_its_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLModel has no attribute `registry`."""

    class Other(DeclarativeBase):
        pass

    class Hero(Other):
        __tablename__ = "heroes"
        id: Mapped[int] = mapped_column(primary_key=True)

    monkeypatch.setattr(models, "_base", lambda: SimpleNamespace(metadata=Other.metadata))

    assert Hero.__table__ in [mapper.local_table for mapper in models.mappers()]
    Other.registry.dispose()
