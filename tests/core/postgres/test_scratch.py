"""Throwaway databases are never the target, and none is left over"""

import os
import random
from dataclasses import replace

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import URL

from app import settings as application
from scripts.core import settings
from scripts.core.errors import UserError
from scripts.core.postgres import connections, environments, scratch, trial
from scripts.core.settings import Settings


def names(server: scratch.Scratch) -> set[str]:
    return set(server.server.scalars(text("SELECT datname FROM pg_database")))


def test_what_is_made_is_marked_development_and_gone_at_the_end(configured: Settings) -> None:
    with scratch.session(configured) as server:
        made = scratch.create(server)
        name = str(made.database_url.database)
        with connections.connect(made) as connection:
            assert connection.scalar(text("SELECT current_database()")) == name
            assert environments.read(connection) == "development"
    with scratch.session(configured) as server:
        assert name not in names(server)


def test_what_is_made_is_gone_after_an_interruption_in_the_middle_of_a_query(configured: Settings) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), scratch.session(configured) as server:  # noqa: PT012
        name = str(scratch.create(server).database_url.database)
        event.listen(server.server, "after_cursor_execute", interrupt, once=True)
        server.server.execute(text("SELECT 1"))
    with scratch.session(configured) as server:
        assert name not in names(server)


@pytest.mark.parametrize("extra", ["", "__kept_20261125T070028Z"])
def test_what_a_killed_maker_left_is_dropped_and_what_a_living_one_has_is_not(configured: Settings, extra: str) -> None:
    left = f"scratch_{random.getrandbits(31)}_0{extra}"
    with scratch.session(configured) as first:
        mine = str(scratch.create(first).database_url.database)
        first.server.exec_driver_sql(f'CREATE DATABASE "{left}" TEMPLATE template0')
        with scratch.session(configured) as second:
            assert left not in names(second)
            assert mine in names(second)


def found(copy: Settings) -> tuple[Settings, URL, dict[str, str]]:
    """Return what code of the user is given, and what it finds when it looks for a database."""
    return copy, application.load().database_url, dict(os.environ)


def test_the_users_code_finds_the_throwaway_database_and_no_way_to_the_target(configured: Settings) -> None:
    url, password = configured.database_url, str(configured.database_url.password)
    values = {
        "POSTGRES_HOST": "the-target",
        "PGSERVICE": "the-target",
        "ANALYTICS_URL": f"postgresql://reader:{password}@the-target/app",
        "SIGNING_KEY": f"not{password}but a word with it",
    }
    target = replace(configured, database_url=url.set(host="the-target"), values={**configured.values, **values})
    with scratch.session(configured) as server:
        made = scratch.create(server)
        server.environment = settings.without_target(target)
        handed, named, environment = trial.run(server, replace(made, values=target.values), found)

    assert named == handed.database_url == handed.application_url == made.database_url
    assert not handed.values
    assert not made.values
    assert environment["PGDATABASE"] == environment["POSTGRES_DB"] == made.database_url.database
    assert environment["PGPASSFILE"] == os.devnull
    assert "SIGNING_KEY" in environment
    assert not {"PGSERVICE", "ANALYTICS_URL"} & environment.keys()
    assert "the-target" not in environment.values()


def test_without_a_scratch_server_nothing_is_made_on_the_target(
    configured: Settings,
) -> None:
    alone = replace(configured, values={**configured.values, "SCRATCH_HOST": ""})

    with pytest.raises(UserError, match="There is no scratch server"), scratch.session(alone):
        pass


def test_a_subscription_that_a_revision_made_keeps_no_database(configured: Settings) -> None:
    with scratch.session(configured) as server:
        made = scratch.as_administrator(server, scratch.create(server))
        name = str(made.database_url.database)
        with connections.connect(made, isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(
                "CREATE SUBSCRIPTION \"Odd %%s\" CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p"
                " WITH (connect = false)"
            )

    with scratch.session(configured) as server:
        assert name not in names(server)
