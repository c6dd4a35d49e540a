"""The user types a database's name before it is replaced or dropped."""

import shlex

from scripts.core import overrides
from scripts.core.cli import console
from scripts.core.errors import UserError


def require(name: str, purpose: str, command: str) -> None:
    """Raise UserError unless the name is typed, or given in CONFIRM. `purpose`: as in "to replace it"."""
    typed = overrides.confirmed() or console.ask(f"Type {name} {purpose}:")
    if typed != name:
        raise UserError(
            f"Not confirmed: {'you typed ' + typed if typed else 'no name was given'}.",
            do=f"{command} CONFIRM={shlex.quote(name)}",
        )
