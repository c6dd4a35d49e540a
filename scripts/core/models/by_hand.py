"""What `alembic check` and `alembic revision --autogenerate` do here, and the comparison whose result is kept."""

from typing import Any

from alembic.operations.ops import MigrationScript

from scripts.core import application, messages, overrides
from scripts.core.errors import UserError
from scripts.core.migrate import alembic_log
from scripts.core.models import comparable, compare, operations
from scripts.core.models.compare import ModelComparison
from scripts.core.revisions import autogenerate, history, last_comparison, models
from scripts.core.revisions.history import History
from scripts.core.settings import Settings


def at_head(settings: Settings, revisions: History) -> ModelComparison:
    """Compare as `compare.at_head` does, and keep the result."""
    of = last_comparison.key(settings)
    found = compare.at_head(settings, revisions)
    last_comparison.keep(settings, of, found.reads, found.lines)
    if found.lines:
        name_variables(found)
    return found


def name_variables(found: ModelComparison) -> None:
    """Say which variables of the environment the models read, if any."""
    if names := ", ".join(sorted(found.reads.variables)):
        messages.send(
            f"The models read {names} from the environment. With other values they may describe other tables."
        )


def check(settings: Settings) -> None:
    """Raise UserError if models and revision files differ. Your database is not used."""
    alembic_log.hide_migrations()
    found = at_head(settings, history.load())
    if found.lines:
        raise UserError(
            "Models and revision files differ:" + "".join(f"\n    {line}" for line in found.lines),
            do='make revision m="what it does", which writes what is missing; or make revision ACCEPT=differences',
        )
    is_known = application.read().metadata
    messages.send(f"Models and revision files match{found.exceptions}." if is_known else f"{models.NONE}.")


def leave_others(context: Any, _revision: Any, directives: list[MigrationScript]) -> None:
    """Leave out drops without ACCEPT=drop.<table>[.<column>]. Autogenerate drops partitions and others' tables."""
    agreed = {comparable.parts(word.removeprefix("drop.")) for word in overrides.words() if word.startswith("drop.")}
    for script in directives:
        assert script.upgrade_ops is not None
        assert script.downgrade_ops is not None
        for name in operations.leave_out(script.upgrade_ops, agreed):
            messages.send(
                f"No model describes {name}. Its drop was left out, because rows would be lost."
                f" To write it: ACCEPT=drop.{name}"
            )
        if context.connection:
            operations.leave_out_keys(script.upgrade_ops, autogenerate.keys_of_partitions(context.connection))
        script.upgrade_ops.reverse_into(script.downgrade_ops)
