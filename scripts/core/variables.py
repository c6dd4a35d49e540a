"""The variables of the environment and of `.env`, with their types."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from scripts.core import env_file
from scripts.core.env_file import reason

LONGEST_NAME = 63
"""Bytes. PostgreSQL cuts longer names, even in the middle of a character."""

T = TypeVar("T")


@dataclass
class Reader:
    """Reads typed values by name, and collects what is wrong with them."""

    values: dict[str, str]
    lines: dict[str, int]
    source: str
    faults: list[str] = field(default_factory=list)

    def place(self, name: str) -> str:
        return f" (line {self.lines[name]})" if name in self.lines else ""

    def text(self, name: str, default: str | None = None) -> str:
        faults = len(self.faults)
        value = self.values.get(name, "") or self.file(name)
        if value:
            return value
        if default is None and len(self.faults) == faults:
            state = "is empty" if name in self.values else "is missing"
            self.faults.append(f"{name} {state}{self.place(name)}")
        return default or ""

    def file(self, name: str) -> str:
        """Return the content of the file that NAME_FILE names, as Compose secrets need it."""
        path = self.values.get(f"{name}_FILE", "")
        if not path:
            return ""
        try:
            if content := Path(path).read_text(encoding="utf-8").rstrip("\n"):
                return content
            self.faults.append(f"{name}_FILE: {path} is empty")
        except (OSError, UnicodeDecodeError) as error:
            hint = ": make it mode 0444 in a folder of mode 0700" if isinstance(error, PermissionError) else ""
            self.faults.append(f"{name}_FILE: cannot read {path}: {reason(error)}{hint}")
        return ""

    def name(self, name: str) -> str:
        """Return the name of a database or a role."""
        value = self.text(name)
        self.require_short(value, name)
        return value

    def require_short(self, value: str | None, name: str, what: str = "") -> None:
        size = len((value or "").encode())
        if size > LONGEST_NAME:
            has = f"{what} of {size} bytes" if what else f"has {size} bytes"
            self.faults.append(f"{name} {has}; PostgreSQL takes {LONGEST_NAME}{self.place(name)}")

    def number(self, name: str, default: float, convert: Callable[[str], T], kind: str = "a number") -> T:
        value = self.text(name, str(default))
        try:
            return convert(value)
        except ValueError:
            self.faults.append(f"{name} is {value!r}, not {kind}{self.place(name)}")
            return convert(str(default))

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            self.faults.append(f"{name} is {value!r}, not one of {', '.join(choices)}{self.place(name)}")
        return value


def read(environ: Mapping[str, str] | None = None, path: Path | None = None) -> Reader:
    """Return a reader of `environ` (default: that of this process) and of the file at `path` (default: `.env`).

    An empty variable does not hide the file's value.
    """
    environ = os.environ if environ is None else environ
    path = path or env_file.ENV_FILE
    found = env_file.read(path) if path.is_file() else env_file.EnvFile()
    values, lines = found.values, found.lines
    for name, value in environ.items():
        if value or name not in values:
            values[name] = value
            lines.pop(name, None)
    return Reader(values, lines, _source(path, environ), found.faults)


def _source(path: Path, environ: Mapping[str, str]) -> str:
    if path.is_file():
        return str(path)
    if environ.get("RUNTIME") == "docker":
        return "the environment, which Compose fills from .env"
    return f"the environment (there is no {path})"
