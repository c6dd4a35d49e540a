"""The application's naming convention: the names of constraints and indexes that a revision does not name.

A child process imports the models and returns the convention as data. So a migration never imports the application.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Constraint, MetaData, PrimaryKeyConstraint

from scripts.core import ROOT, children, messages
from scripts.core.child_process import Deadline
from scripts.core.children import Child
from scripts.core.errors import UserError
from scripts.core.revisions import models

KINDS = ("ix", "uq", "ck", "fk", "pk")
"""What SQLAlchemy calls the kinds of a convention: index, unique, check, foreign key, primary key."""
SECONDS = 60
"""The longest time that the import of the models may take."""
_TOKEN = re.compile(r"%\((\w+)\)")

OnUnnamed = Callable[[], None]


@dataclass(frozen=True)
class Convention:
    templates: tuple[tuple[str, str], ...] = ()
    """Kinds, such as fk, and their templates. Instead of a kind there may be a class of SQLAlchemy."""
    unknown: tuple[str, ...] = ()
    """Kinds whose template is not known here."""
    problem: str = ""
    """Why it is not known."""

    def metadata(self, on_unnamed: OnUnnamed | None) -> MetaData:
        """Return metadata with the convention, for Alembic.

        For an object of an unknown kind without a name, `on_unnamed` is called. PostgreSQL names it if that is None or
        returns.
        """
        names: dict[Any, Any] = {_key(kind): template for kind, template in self.templates}
        if on_unnamed and self.unknown:
            names |= dict.fromkeys(map(_key, self.unknown), "%(unnamed)s")
            names["unnamed"] = _noticing(on_unnamed)
        elif "ix" in self.unknown:
            names |= MetaData().naming_convention
        return MetaData(naming_convention=names)


_known: dict[Path, Convention] = {}


def fetch() -> Convention:
    """Return the convention of this checkout's models. The first call in a process starts a child for that."""
    if ROOT not in _known:
        with children.started([]) as child:
            fetch_from(child)
    return _known[ROOT]


def fetch_from(child: Child) -> None:
    """Learn the convention in a child that may have imported the models."""
    why = "Importing the models takes that long."
    try:
        with messages.sent_to(messages.nowhere):
            _known[ROOT] = child.call(read, environment=None, deadline=Deadline(SECONDS, why, "nothing"))
    except (UserError, children.ChildError) as error:
        problem = error.problem if isinstance(error, UserError) else str(error).strip().splitlines()[-1]
        _known[ROOT] = Convention((), KINDS, problem)


def read() -> Convention:
    """Do the work of `fetch_from` in the child."""
    given: Mapping[Any, Any] = models.imported().naming_convention
    functions = {name for name, value in given.items() if isinstance(name, str) and callable(value)}
    known, unknown = list[tuple[str, str]](), list[str]()
    for key, template in given.items():
        kind = _kind(key)
        if not isinstance(template, str):
            continue
        if kind and not functions.intersection(_TOKEN.findall(template)):
            known.append((kind, str(template)))
        elif kind in KINDS:
            unknown.append(kind)
    problem = f"{', '.join(sorted(functions))} in its naming convention is a function" if unknown else ""
    return Convention(tuple(sorted(known)), tuple(sorted(unknown)), problem)


def _kind(key: Any) -> str:
    """Return a key of a convention as a text, or nothing if it is of no use without the application."""
    if isinstance(key, str):
        return str(key) if key in KINDS else ""
    module, name = str(getattr(key, "__module__", "")), str(getattr(key, "__qualname__", ""))
    return f"{module}:{name}" if module.startswith("sqlalchemy.") and name else ""


def _key(kind: str) -> Any:
    module, _, name = kind.partition(":")
    return getattr(importlib.import_module(module), name) if name else kind


def _noticing(on_unnamed: OnUnnamed) -> Callable[..., str]:
    def name(constraint: Constraint, _table: object) -> str:
        # SQLAlchemy gives every table a primary key, which may have no columns yet.
        if not isinstance(constraint, PrimaryKeyConstraint) or len(constraint.columns):
            on_unnamed()
        return ""

    return name
