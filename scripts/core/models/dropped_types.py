"""Enums that go with the last table or column that uses them. Autogenerate leaves them behind."""

import re
from collections.abc import Collection, Iterator, Sequence

from scripts.core.models import comparable, new_types, plugins, uses
from scripts.core.models.compare import ModelComparison
from scripts.core.models.gone import Gone
from scripts.core.models.step import ModelStep
from scripts.core.plan import shadow
from scripts.core.postgres import connections
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import history
from scripts.core.revisions.history import History

_ENUM = re.compile(rf"enum {comparable.NAME}")


def steps(server: Scratch, revisions: History, found: ModelComparison, dropped: Sequence[Gone]) -> Iterator[ModelStep]:
    """Yield a step for each enum that only dropped columns and tables use. It comes after their drop.

    A plug-in of Alembic that writes enums does this itself.
    """
    if not dropped or plugins.write_enums():
        return
    start = shadow.build(server, revisions, [history.head(revisions)], partial=True)
    with connections.connect(start) as connection:
        used = uses.read(connection)
    gone = {one.key for one in dropped}
    for name, labels in found.made.objects.items():
        is_described = name in found.described.objects or not _ENUM.fullmatch(name)
        users = [] if is_described else used.get(name, [])
        if users and all(_is_gone(one.name, gone) for one in users):
            create, drop = new_types.enum(name.removeprefix("enum "), labels)
            yield ModelStep([drop], create)


def _is_gone(user: str, gone: Collection[tuple[str, ...]]) -> bool:
    if not (part := comparable.PART.fullmatch(user)):
        return False
    table = comparable.parts(part["table"])
    return ("table", *table) in gone or ("column", *table, *comparable.parts(part["name"])) in gone
