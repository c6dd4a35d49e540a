"""Edits of our pyproject.toml, as text: its comments and its order stay."""

import json
import re
from collections.abc import Mapping, Sequence

APP = "[tool.app]"
THEIRS = "    # The application's own."


def with_dependencies(text: str, requirements: Sequence[str]) -> str:
    """Return the text with more packages in `dependencies`."""
    begin = re.search(r"^dependencies = \[\n", text, re.MULTILINE)
    assert begin, "pyproject.toml has its dependencies on lines of their own"
    end = text.index("\n]", begin.end() - 1) + 1
    lines = text[begin.end() : end].splitlines()
    known = {re.split(r"[^\w-]", line.strip().lstrip('"'))[0].lower() for line in lines}
    new = [json.dumps(one, ensure_ascii=False) for one in requirements if one.strip().lower() not in known]
    added = "".join(f"{line}\n" for line in [THEIRS, *(f"    {word}," for word in new)]) if new else ""
    return text[:end] + added + text[end:]


def with_python(text: str, python: str) -> str:
    """Return the text with the versions of Python that both allow."""
    given = re.search(r'^requires-python = "([^"]*)"', text, re.MULTILINE)
    assert given
    every = [one.strip() for one in (*given[1].split(","), *python.split(",")) if one.strip()]
    lower = [one for one in every if re.fullmatch(r">=\d+(\.\d+)*", one)]
    highest = max(lower, key=lambda one: [int(part) for part in one[2:].split(".")])
    left = dict.fromkeys([highest, *(one for one in every if one not in lower)])
    return text.replace(given[0], f'requires-python = "{",".join(left)}"')


def with_application(text: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """Return the text with these keys in [tool.app]."""
    if APP not in text:
        text += f"\n{APP}\n"
    begin = text.index(APP) + len(APP)
    end = next((found.start() + begin for found in re.finditer(r"^\[", text[begin:], re.MULTILINE)), len(text))
    table = text[begin:end]
    for name, value in values.items():
        line = f"{name} = {_value(value)}"
        key = re.search(rf"^{name} = (?:\[[^\]]*\]|.*)$", table, re.MULTILINE)
        table = table[: key.start()] + line + table[key.end() :] if key else f"{table.rstrip()}\n{line}\n\n"
    return text[:begin] + table + text[end:]


def with_checks(text: str, folders: Sequence[str]) -> str:
    """Return the text in which our formatter and type checker leave the application to its own tools."""
    text = text.replace('files = ["app", ', "files = [", 1)
    begin = re.search(r"^extend-exclude = \[", text, re.MULTILINE)
    names = [json.dumps(one.rstrip("/")) for one in folders]
    return text[: begin.end()] + ", ".join([*names, ""]) + text[begin.end() :] if begin else text


def _value(value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "[" + ", ".join(json.dumps(one, ensure_ascii=False) for one in value) + "]"
