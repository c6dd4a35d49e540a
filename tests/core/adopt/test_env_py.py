"""What is carried over from an env.py, without running it."""

import ast

from scripts.core.adopt import env_py
from scripts.core.adopt.env_py import Function

ENV = """
from __future__ import annotations

import os
from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context
from shop import models
from shop.db import Base
import alembic_postgresql_enum

config = context.config
fileConfig(config.config_file_name)
models.import_all()
register(config)
LEGACY = {"old_" + name for name in ("a", "b")}
EXCLUDED = config.get_section("exclude")


def is_legacy(name: str) -> bool:
    return name in LEGACY


def my_objects(object, name, type_, reflected, compare_to):
    return not (type_ == "table" and is_legacy(name))


def only_here(name, type_, parents):
    return name not in EXCLUDED


def run_migrations_online():
    @sa.util.decorator
    def render_item(type_, obj, autogen_context):
        return False

    def process(context, revision, directives):
        pass

    context.configure(
        connection=None,
        target_metadata=[Base.metadata, models.other],
        include_object=my_objects,
        include_name=only_here,
        render_item=render_item,
        process_revision_directives=process,
        compare_type=lambda *_: True,
    )


run_migrations_online()
"""
NAMES = {
    "include_object": "my_objects",
    "include_name": "only_here",
    "render_item": "run_migrations_online.<locals>.render_item",
    "process_revision_directives": "process",
    "compare_type": "<lambda>",
}
FUNCTIONS = {option: Function(name, "env_py") for option, name in NAMES.items()}


def test_the_metadata_and_the_filters_come_with_all_that_they_need() -> None:
    found = env_py.carry(ENV, "shop", ["shop"], FUNCTIONS)

    ast.parse(found.text)
    assert found.functions == ["include_object", "render_item"]
    assert "metadata = [Base.metadata, models.other]" in found.text
    assert "from shop import models\n" in found.text
    assert "import alembic_postgresql_enum\n" in found.text
    assert "models.import_all()\n" in found.text
    assert "include_object = my_objects\n" in found.text
    assert "def is_legacy(" in found.text
    assert "LEGACY = {" in found.text
    assert "\n@sa.util.decorator\ndef render_item(type_, obj, autogen_context):\n    return False\n" in found.text


def test_what_exists_only_while_alembic_runs_is_named() -> None:
    found = env_py.carry(ENV, "shop", ["shop"], FUNCTIONS)

    for word in ("from alembic", "fileConfig", "config", "register(", "run_migrations_online", "EXCLUDED"):
        assert word not in found.text
    assert found.not_carried == [
        "include_name: it uses context, which exists only while Alembic runs (line 8)",
        "process_revision_directives=process: this environment writes revisions in its own way",
        "compare_type=<lambda>: types are compared in the database",
    ]


def test_without_metadata_nothing_is_carried() -> None:
    found = env_py.carry("from alembic import context\ncontext.configure(connection=c)\n", "shop", ["shop"], {})

    assert found.text == ""
    assert found.not_carried == ["target_metadata: no call of context.configure() in env.py gives it"]


OF_FLASK = """
from alembic import context
from flask import current_app
from blog.db import engine

target_db = current_app.extensions["migrate"].db
engine.connect()
context.configure(connection=None, target_metadata=target_db.metadata, **current_app.extensions["migrate"].arguments)
"""


def test_an_env_py_whose_metadata_exists_only_while_it_runs_is_replaced_by_imports() -> None:
    functions = {"include_object": Function("skip", "blog.filters"), "include_name": Function("only", "env_py")}

    found = env_py.carry(OF_FLASK, "blog", ["blog"], functions)
    other = env_py.assembled("blog", "blog.db:db.metadata", ["blog.models"], functions)

    assert found.text == ""
    assert found.not_carried == ["target_metadata: it uses current_app, which exists only while Flask runs (line 3)"]
    assert other.text.partition("\n\n")[2] == (
        "import blog.models\nimport blog.db\n\nmetadata = blog.db.db.metadata\n"
        "from blog.filters import skip as include_object\n"
    )
    assert other.functions == ["include_object"]
    assert other.not_carried == ["include_name: it uses only, which env.py does not give at its top"]


def test_a_connection_is_not_carried() -> None:
    text = "from alembic import context\nfrom shop.db import Base, engine, register\nengine.connect()\nregister()\n"

    found = env_py.carry(text + "context.configure(target_metadata=Base.metadata)\n", "shop", ["shop"], {})

    assert "\nregister()\n" in found.text
    assert "connect" not in found.text
