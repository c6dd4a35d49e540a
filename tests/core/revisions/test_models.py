"""scripts/core/revisions/models.py"""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from scripts.core.errors import UserError
from scripts.core.revisions import models


def test_every_model_of_the_application_is_imported() -> None:
    assert {"users", "social_accounts", "social_pages", "social_posts"} <= set(models.metadata().tables)


def test_a_foreign_key_to_nowhere_is_a_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = MetaData()
    Table("users", metadata, Column("id", Integer, primary_key=True))
    pages = Table("social_pages", metadata, Column("user_id", ForeignKey("user.id")))
    monkeypatch.setattr(models, "imported", lambda: metadata)
    monkeypatch.setitem(models._made, pages, models._Origin("app/models/social.py, line 7", "", {}))

    with pytest.raises(
        UserError, match=r"^app/models/social\.py, line 7, column social_pages\.user_id: .* table 'user'"
    ) as caught:
        models.metadata()
    assert ("Do", "correct ForeignKey('user.id') there") in caught.value.facts


def test_a_base_needs_only_its_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLModel has no attribute `registry`."""

    class Other(DeclarativeBase):
        pass

    class Hero(Other):
        __tablename__ = "heroes"
        id: Mapped[int] = mapped_column(primary_key=True)

    importlib.import_module("app.models")
    monkeypatch.setattr("app.database.Base", SimpleNamespace(metadata=Other.metadata))

    assert Hero.__table__ in models.imported().tables.values()
    Other.registry.dispose()


def test_a_filter_of_the_application_that_fails_is_a_fault_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("app.models")
    module.include_name = lambda name, _kind, _parents: name.nothing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "app.models", module)

    with pytest.raises(UserError, match=r"^app\.models: include_name fails: AttributeError: "):
        models.is_included(Table("t", MetaData()))
