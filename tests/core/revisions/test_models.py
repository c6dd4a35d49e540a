"""scripts/core/revisions/models.py"""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table

from scripts.core import application
from scripts.core.application import Declaration
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


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets [tool.app] name attributes of a module as the metadata."""

    def declare(*names: str, **attributes: object) -> None:
        module = ModuleType("shop")
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, "shop", module)
        declared = Declaration(metadata=tuple(f"shop:{name}" for name in names))
        monkeypatch.setattr(application, "read", lambda *_: declared)

    return declare


def table(metadata: MetaData, name: str, *columns: Column[int]) -> MetaData:
    Table(name, metadata, Column("id", Integer, primary_key=True), *columns)
    return metadata


def test_a_metadata_or_its_base_is_enough(declare: Callable[..., None]) -> None:
    """SQLModel has no attribute `registry`."""
    metadata = table(MetaData(), "heroes")

    for name, shop in (("metadata", metadata), ("Base", SimpleNamespace(metadata=metadata))):
        declare(name, **{name: shop})
        assert models.imported() is metadata


def test_several_metadatas_are_one_with_the_names_of_each(declare: Callable[..., None]) -> None:
    first = table(MetaData(naming_convention={"pk": "pk_%(table_name)s"}), "a")
    declare(
        "first",
        "second",
        first=first,
        second=table(MetaData(), "b", Column("a_id", ForeignKey(first.tables["a"].c.id))),
    )

    found = models.metadata()

    assert [(name, found.tables[name].primary_key.name) for name in sorted(found.tables)] == [
        ("a", "pk_a"),
        ("b", None),
    ]
    assert [key.column.table for key in found.tables["b"].foreign_keys] == [found.tables["a"]]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("nothing",), r"There is no shop:nothing: module 'shop' has no attribute 'nothing'\."),
        (("name",), r"shop:name is no MetaData of SQLAlchemy, and has none\."),
        (("first", "twin"), r"Two metadatas have a table a\."),
    ],
)
def test_a_wrong_declaration_is_named(declare: Callable[..., None], names: tuple[str, ...], problem: str) -> None:
    declare(*names, name="x", first=table(MetaData(), "a"), twin=table(MetaData(), "a"))

    with pytest.raises(UserError, match=f"^{problem}") as caught:
        models.imported()
    assert ("Do", "correct metadata in [tool.app] of pyproject.toml") in caught.value.facts


def test_a_filter_of_the_application_that_fails_is_a_fault_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("app.models")
    module.include_name = lambda name, _kind, _parents: name.nothing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "app.models", module)

    with pytest.raises(UserError, match=r"^app\.models: include_name fails: AttributeError: "):
        models.included([Table("t", MetaData())])
