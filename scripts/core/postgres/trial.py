"""The user's code on throwaway databases: a session's child process runs revisions, models and checks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from scripts.core import application
from scripts.core.child_process import Deadline
from scripts.core.errors import UserError
from scripts.core.postgres import connections, scratch_room
from scripts.core.postgres.scratch import Scratch
from scripts.core.settings import Settings

T = TypeVar("T")

WITHOUT_ROWS = "It sleeps, loops or waits; a throwaway database has no rows that would take time."


def run(
    scratch: Scratch,
    copy: Settings,
    function: Callable[..., T],
    *arguments: Any,
    deadline: Deadline | None = None,
    statement_timeout: float | None = None,
    **callbacks: Callable[..., Any],
) -> T:
    """Run `function(copy, *arguments, **callbacks)` in the child, and return its result.

    All code of the user runs through this function. The child's environment names `copy` and no other database. So a
    connection that a revision opens by itself reaches it. The default `deadline` is PLAN_DEADLINE. A statement may
    take `statement_timeout` seconds; None: as long as the call. Raise UserError as `Child.call` does.
    """
    deadline = deadline or Deadline(copy.limits.plan_deadline, WITHOUT_ROWS, "PLAN_DEADLINE")
    url = copy.database_url
    whole = url.set(drivername=copy.driver).render_as_string(hide_password=False)
    database = {
        **dict.fromkeys(["DATABASE_URL", "MIGRATION_DATABASE_URL", *application.read().url_variables], whole),
        "POSTGRES_HOST": str(url.host),
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": str(url.username),
        "POSTGRES_PASSWORD": str(url.password or ""),
        "POSTGRES_DB": str(url.database),
        "STATEMENT_TIMEOUT": str(statement_timeout or deadline.seconds),
        **connections.tool_environment(url),
    }
    environment = {**scratch.environment, **database}
    limits = replace(copy.limits, statement_timeout=statement_timeout or deadline.seconds)
    limited = replace(copy, limits=limits, values={})
    try:
        result: T = scratch.child.call(
            function,
            limited,
            *arguments,
            environment=environment,
            deadline=deadline,
            **callbacks,
        )
    except UserError as error:
        raise failed(error) from error.__cause__
    return result


def run_models(server: Scratch, copy: Settings, function: Callable[..., T], *arguments: Any) -> T:
    """Run a function as `run` does, in the child that has imported the models."""
    return run(replace(server, child=server.models), copy, function, *arguments)


def failed(error: UserError) -> UserError:
    """Return the error of a revision that failed on a throwaway database, without the state of that database."""
    explained = scratch_room.explained(error)
    return explained.with_state("it failed on a throwaway database; the target was only read.")
