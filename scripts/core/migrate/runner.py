"""What alembic/env.py runs, for `make` and for `alembic` typed by hand alike.

A command that changes the version takes the advisory lock and passes the guards. It runs each revision in a transaction
of its own, with short lock timeouts and retries. Then a new connection checks the result. Other commands just run.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from alembic import context
from alembic.autogenerate import RevisionContext
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.engine import URL

from scripts.core import ROOT, application, messages, redaction, revision_files, revision_modules, settings
from scripts.core.errors import UserError
from scripts.core.migrate import guards, retry, unfinished_rollback, unnamed
from scripts.core.migrate.request import ATTRIBUTE, AlembicRequest
from scripts.core.migrate.run_context import Conditions
from scripts.core.migrate.steps import Step, Steps
from scripts.core.postgres import advisory_lock, connections, invalid_indexes, own_tables
from scripts.core.revisions import autogenerate, history, migration_log, models, passed_over, sources
from scripts.core.user_code import ExitError, contained

__all__ = ["Step", "run"]

Metadata = Callable[[], MetaData]


class ByHand(Protocol):
    """What commands do that compare models and are typed by hand."""

    def check(self, settings: settings.Settings) -> None: ...
    def revision(self, settings: settings.Settings, begun: RevisionContext) -> None: ...


_RENAME = text("SELECT set_config('application_name', :name, false)")


def run(metadata: Metadata, by_hand: Callable[[], ByHand]) -> None:
    """Run the command that Alembic was started with, on the database or as SQL text (`--sql`).

    `metadata` and `by_hand` are called for commands that compare models. The others do not import the application.
    """
    try:
        application.extend_search_path()
        with contained():
            if context.is_offline_mode():
                _offline()
                return
            request = context.config.attributes.get(ATTRIBUTE) or AlembicRequest(settings.load())
            if _command() == "check":
                by_hand().check(request.settings)
                return
            if (begun := _revision()) and not request.process_revision_directives:
                by_hand().revision(request.settings, begun)
                return
            _online(metadata, request)
    except ExitError as error:
        where = revision_files.place(error) or models.place(error)
        raise UserError(f"{where}: {error}.", do="correct that file", state="see: make status") from error


def _online(metadata: Metadata, request: AlembicRequest) -> None:
    sources.watch(context.script.dir)
    target, url, options = request.settings, request.url, _options(request.process_revision_directives)
    with connections.connect(target, url, application_name=_application("alembic-look")) as connection:
        # Nothing may be executed on this connection before configure(). Alembic would believe that its caller opened
        # the transaction. It would run every step, exit 0 and commit nothing.
        context.configure(connection=connection, **options)
        command = context.get_context()
        if not _changes_the_version(command):
            if _command() == "revision":  # no other one compares the models, which may not be there
                options |= models.compared(metadata(), request.compared.schemas)
                options[autogenerate.HAS_DEFAULT] = request.compared.has_default
            context.configure(connection=connection, **options)
            _guarded(context.run_migrations, request)
            return
        steps = _guarded(lambda: _plan(command, connection, request), request)
        if _command() != "stamp":
            passed_over.require_none(connection, context.script, history.current(connection))
        connection.rollback()
        if steps:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(_RENAME, {"name": _application("alembic-lock")})
            _change_the_version(command, request, connection)
            return
    unfinished_rollback.settle(request.settings, request.url)


def _command() -> str:
    """Return the name of Alembic's command. Its arguments do not say it when it is called as a function."""
    environment: Any = vars(context)["_proxy"]
    function = environment.context_opts.get("fn")
    return str(getattr(function, "__qualname__", "")).partition(".")[0]


def _revision() -> RevisionContext | None:
    """Return what Alembic has begun if a revision is to be generated from the models."""
    environment: Any = vars(context)["_proxy"]
    begun: RevisionContext | None = environment.context_opts.get("revision_context")
    return begun if begun and begun.command_args["autogenerate"] else None


def _change_the_version(command: MigrationContext, request: AlembicRequest, holder: Connection) -> None:
    target, url = request.settings, request.url
    with advisory_lock.hold(holder, target.limits.wait):
        at = history.current(holder)
        steps = Steps(map(revision_modules.fresh, _plan(command, holder, request)), at, request.on_step)
        if not steps:
            messages.send("Nothing to do: another migration has done this meanwhile.")
            return
        conditions = Conditions(
            target,
            url,
            _application(f"alembic {steps.command}"),
            holder,
            confirmed=request.confirmed,
            tracer=request.tracer,
        )
        conditions = guards.check(conditions, steps, history.files(context.script, at), request.seen)
        conditions = unnamed.convention(guards.check_indexes(conditions, steps), steps)
        invalid_indexes.drop_invalid(holder, conditions.foreign_indexes)
        own_tables.ensure_schema(holder)
        if not request.tracer:
            unfinished_rollback.record(conditions, steps, at, str(command.opts["destination_rev"]))
        retry.run(conditions, steps, partial(_once, conditions.names))
        _check(target, url, steps, conditions.foreign_indexes)
        if steps.command == "downgrade" and conditions.confirmed is None:
            # `alembic` typed by hand has no other report. The make target closes the rollback after its own report.
            unfinished_rollback.close(target, url)


def _once(names: MetaData | None, connection: Any, left: Callable[..., Any], on_apply: Callable[..., None]) -> None:
    """Run the steps that are left, as one attempt."""
    # A purge deletes the version first. In one transaction with the stamp, a kill cannot leave the database at base.
    purge = bool(context.get_context().purge)
    options = _options() | {"on_version_apply": on_apply, "transaction_per_migration": not purge}
    context.configure(connection=connection, fn=left, target_metadata=names, **options)
    with context.begin_transaction():
        context.run_migrations()


def _check(target: settings.Settings, url: URL, steps: Steps, foreign: Sequence[str]) -> None:
    """Raise UserError unless a new connection reads the version of the last step, and no other index is invalid."""
    with connections.connect(target, url) as connection:
        at, invalid = set(history.current(connection)), set(invalid_indexes.invalid(connection)) - {*foreign}
    if at != steps.goal:
        raise UserError(
            f"The database should be at {_list(steps.goal)} now, but a new connection reads {_list(at)}.",
            why="Something ran on Alembic's connection before its transaction, so nothing was committed.",
            do="remove SQL that runs before context.configure() in alembic/env.py",
            state=f"the database is at {_list(at)}.",
        )
    if invalid:
        raise UserError(
            f"Every revision ran, but these indexes are invalid: {', '.join(sorted(invalid))}.",
            why="CREATE INDEX CONCURRENTLY did not finish. PostgreSQL maintains such an index but never uses it.",
            do="make rollback, correct what stopped it, make migrate",
            state=f"the database is at {_list(at)}.",
        )


def _plan(command: MigrationContext, connection: Connection, request: AlembicRequest) -> list[Any]:
    """Return the steps of the command for the connected database."""
    at, script = history.current(connection), context.script
    if request.undoes:
        scripts = [history.script(script, revision) for revision in request.undoes]
        return [MigrationStep.downgrade_from_script(script.revision_map, one) for one in scripts]
    begun = unfinished_rollback.resumed_by_hand(connection, script, at, str(command.opts["destination_rev"]))
    if begun:
        return list(script._downgrade_revs(begun.goal, at))  # type: ignore[arg-type]
    return list(command.opts["fn"](() if command.purge else at, command))


def _changes_the_version(command: MigrationContext) -> bool:
    return "destination_rev" in command.opts and not command.opts.get("dont_mutate")


def _guarded(work: Callable[[], Any], request: AlembicRequest) -> Any:
    """Replace Alembic's "Can't locate revision identified by". It does not say which side lacks the revision."""
    try:
        return work()
    except (CommandError, RevisionError):
        with connections.connect(request.settings, request.url) as connection:
            history.require_known(history.load(), history.current(connection))
        raise


def _offline() -> None:
    """Write SQL that you can run elsewhere. This needs no database, and no settings but APP_ENV."""
    dialect: dict[str, Any] = {
        "dialect_name": "postgresql",
        "literal_binds": True,
        "dialect_opts": {"paramstyle": "named"},
    }
    context.configure(target_metadata=unnamed.offline(), **dialect, **_options())
    try:
        with context.begin_transaction():
            context.run_migrations()
    except Exception as error:
        place = revision_files.place(error)
        if isinstance(error, CommandError) or not place:
            raise
        raise UserError(
            f"{place}: {redaction.exception(error, (ROOT / place.partition(',')[0]).read_text('utf-8', 'replace'))}",
            why="With --sql there is no database, so op.get_bind() is None and no row can be read.",
            do="ask context.is_offline_mode() there (from alembic import context), or migrate without --sql",
            state="the SQL above is incomplete.",
        ) from error


def _options(process_revision_directives: Callable[..., None] | None = None) -> dict[str, Any]:
    return {
        "compare_type": True,
        "compare_server_default": True,
        "transaction_per_migration": True,
        "version_table": own_tables.VERSION_TABLE,
        "version_table_schema": own_tables.VERSION_SCHEMA,
        "include_name": migration_log.include_name,
        "process_revision_directives": process_revision_directives,
    }


def _application(what: str) -> str:
    return f"{what} {migration_log.who()}"[:63]


def _list(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "base"
