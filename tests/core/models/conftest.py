"""Models that are compared with a database of the files, which other models or statements make."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, MetaData
from sqlalchemy.schema import CreateSchema

from scripts.core.models import compare
from scripts.core.models.compare import ModelComparison
from scripts.core.plan import shadow
from scripts.core.postgres import connections, databases, scratch, sql
from scripts.core.postgres.sql import spelled
from scripts.core.revisions import history, models
from scripts.core.settings import Settings

Compare = Callable[..., ModelComparison]


@pytest.fixture
def compared(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """Compares models with a database of the files, which other models and statements make."""

    def run(was: MetaData | Callable[[Connection], None], now: MetaData, *statements: str) -> ModelComparison:
        monkeypatch.setattr(models, "metadata", lambda: now)
        with scratch.session(configured) as server:
            files = scratch.create(server)
            with connections.connect(files) as connection:
                if isinstance(was, MetaData):
                    for schema in filter(None, {one.schema for one in was.tables.values()}):
                        connection.execute(CreateSchema(schema))
                    was.create_all(connection)
                else:
                    was(connection)
                for statement in statements:
                    sql.run(connection, spelled(statement))
                connection.commit()
            template = databases.name_of(files.database_url)
            monkeypatch.setattr(shadow, "build", lambda *_, **__: scratch.create(server, template))
            return compare.compare(server, history.load(), ["head"])

    return run
