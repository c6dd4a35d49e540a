"""Leaves out the changes of defaults that only autogenerate sees. It reads the default of a domain as the column's."""

import re
from collections.abc import Collection
from typing import Any

from alembic.operations.ops import AlterColumnOp, ModifyTableOps
from sqlalchemy import Computed, Identity

from scripts.core.models import comparable
from scripts.core.models.compare import ModelComparison

_DEFAULT = re.compile(
    rf"table (?P<table>(?:{comparable.QUOTED}\.)?{comparable.QUOTED}), column (?P<name>{comparable.QUOTED})"
    r"(?:, default|: the models do not state .*)",
    re.DOTALL,
)


def changed(found: ModelComparison) -> set[tuple[str, ...]]:
    """Return the columns whose defaults differ, each as the parts of its name."""
    lines = [*(one.name for one in found.differences), *found.notes]
    columns = filter(None, map(_DEFAULT.fullmatch, lines))
    return {(*comparable.parts(one["table"]), *comparable.parts(one["name"])) for one in columns}


def leave_out(found: Any, changed: Collection[tuple[str, ...]]) -> None:
    """Take away each change of a default, but those of the columns `changed`."""
    for table in (one for one in found.ops if isinstance(one, ModifyTableOps)):
        for one in (one for one in table.ops if isinstance(one, AlterColumnOp)):
            space = () if table.schema in (None, "public") else (table.schema,)
            is_changed = (*space, table.table_name, one.column_name) in changed
            both = one.modify_server_default, one.existing_server_default
            if not is_changed and not any(isinstance(default, Computed | Identity) for default in both):
                one.modify_server_default = False
        table.ops[:] = [one for one in table.ops if not isinstance(one, AlterColumnOp) or one.has_changes()]
    found.ops[:] = [one for one in found.ops if not isinstance(one, ModifyTableOps) or one.ops]
