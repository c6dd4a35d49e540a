"""What cannot be compared on a scratch server that lacks an extension which the revision files create."""

import re
from collections.abc import Sequence

from scripts.core import messages
from scripts.core.models import comparable
from scripts.core.models.creation import Uncreated
from scripts.core.plan import missing_extensions
from scripts.core.postgres import scratch_extensions
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions.history import History
from scripts.core.schema.compare import Difference
from scripts.core.schema.fingerprint import Schema

_REFERENCES = re.compile(rf" REFERENCES (?:public\.)?({comparable.NAME})\(")


def leave_out(
    server: Scratch, revisions: History, failures: list[Uncreated], differences: list[Difference], described: Schema
) -> tuple[list[Uncreated], list[Difference], list[str]]:
    """Return what is left of both, and the names of what is not compared, which is also said.

    A table that refers to one with a missing type is not compared either: the statement that makes it was left out.
    """
    found = [one for one in failures if one.may_lack]
    if not found or not (lacks := missing_extensions.lacking(server, revisions)):
        return failures, differences, []
    unmade = _unmade({one.name.partition(", ")[0] for one in found}, differences, described)
    names = [f"{one.part} of {one.owned.name}" if one.part else one.owned.name for one in found]
    names += [one.removeprefix("table ") for one in sorted(unmade)]
    messages.send(
        f"Not compared: {', '.join(names)}. The scratch server lacks {', '.join(lacks)}. {scratch_extensions.HELP}"
    )
    left = [one for one in differences if one.name not in unmade]
    return [one for one in failures if not one.may_lack], left, names


def _unmade(uncreated: set[str], differences: Sequence[Difference], described: Schema) -> set[str]:
    """Return the missing tables that could not be created completely, or that refer to such a table."""
    missing = {one.name for one in differences if one.found is None and comparable.TABLE.fullmatch(one.name)}
    unmade, before = set(uncreated), set[str]()
    while unmade != before:
        before = set(unmade)
        for name, definition in described.objects.items():
            table, to = name.partition(", constraint ")[0], _REFERENCES.search(definition)
            if table in missing and to and f"table {to[1]}" in unmade:
                unmade.add(table)
    return unmade & missing
