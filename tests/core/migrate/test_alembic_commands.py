"""scripts/core/migrate/alembic_commands.py, and this project's own revisions"""

from argparse import Namespace

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from scripts.core import revision_files
from scripts.core.migrate import alembic_commands
from scripts.core.migrate.request import ATTRIBUTE, AlembicRequest
from scripts.core.migrate.runner import Step
from scripts.core.postgres import connections
from scripts.core.settings import Settings


@pytest.fixture
def config(target: Settings) -> Config:
    """What Alembic needs for a command on the target."""
    found = revision_files.config()
    found.attributes[ATTRIBUTE] = AlembicRequest(target)
    found.cmd_opts = Namespace(quiet=True)
    return found


# Columns, constraints and indexes of every table, as text.
SCHEMA = """
SELECT attrelid::regclass || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull
FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
ORDER BY 1
"""


def schema(target: Settings) -> list[str]:
    with connections.connect(target) as connection:
        return list(connection.scalars(text(SCHEMA)))


def test_each_revision_goes_up_and_down_and_up_again(target: Settings, revisions: list[str]) -> None:
    below = "base"
    for revision in revisions:
        steps: list[Step] = []
        alembic_commands.upgrade(target, revision, steps.append)
        there = schema(target)
        alembic_commands.downgrade(target, below, [], steps.append)
        alembic_commands.upgrade(target, revision, steps.append)

        assert [(step.revision, step.upgrade) for step in steps] == [
            (revision, True),
            (revision, False),
            (revision, True),
        ]
        assert schema(target) == there
        below = revision


def test_at_base_nothing_is_left(target: Settings, revisions: list[str]) -> None:
    alembic_commands.upgrade(target, revisions[-1], lambda _: None)

    alembic_commands.downgrade(target, "base", [], lambda _: None)

    assert {line.split()[0] for line in schema(target) if "CREATE" not in line} == {
        "alembic_version",
        "migration_log",
        "migration_source",
    }


def test_models_and_migrations_match(target: Settings, config: Config, revisions: list[str]) -> None:
    alembic_commands.upgrade(target, revisions[-1], lambda _: None)

    command.check(config)
