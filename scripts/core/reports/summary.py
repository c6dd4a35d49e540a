"""summary.md: the verdict, the gates and the hazards, short enough for a comment on a pull request."""

import re
from typing import Any

from scripts.core.formatting import NOTHING, SYMBOLS, VERDICTS, human, milliseconds, moment, one_line, took

SHOWN, LONGEST = 20, 500
"""Lines of details and of revisions, and characters of a text. A comment may have 65,536; the page shows all."""


def render(document: dict[str, Any]) -> str:
    """Return Markdown in which nothing from the document is markup."""
    verdict = document["verdict"]
    bad = [gate for gate in document["gates"] if gate["status"] == verdict != "passed"]
    lines = [
        f"## {SYMBOLS[verdict]} Staging verification of {_plain(document['database'])}: {VERDICTS[verdict]}",
        "",
        _plain(document["reason"]),
        "",
        *_details(bad),
        "| gate | result | time | what was found |",
        "|---|---|---:|---|",
        *(_gate(gate) for gate in document["gates"]),
        "",
        *_details([gate for gate in document["gates"] if gate not in bad]),
        *_revisions(document),
        f"From {_plain(', '.join(document['from']) or 'base')} to {_plain(document['to'])},"
        f" {moment(document['started_at'])}, in {milliseconds(document['seconds'])}.",
    ]
    return "\n".join(lines) + "\n"


def _gate(gate: dict[str, Any]) -> str:
    result = f"{SYMBOLS[gate['status']]} {gate['status']}"
    return f"| {gate['name']} | {result} | {took(gate['status'], gate['seconds'])} | {_plain(gate['summary'])} |"


def _details(gates: list[dict[str, Any]]) -> list[str]:
    details = [f"- {gate['name']}: {_plain(detail)}" for gate in gates for detail in gate["details"]]
    return [*_first(details, "- and {} more"), ""] if details else []


def _revisions(document: dict[str, Any]) -> list[str]:
    if not document["revisions"]:
        return []
    longest: dict[str, float] = {}
    for lock in document["locks"]:
        longest[lock["revision"]] = max(longest.get(lock["revision"], 0), lock["seconds"])
    rows = [_revision(one, longest.get(one["revision"])) for one in document["revisions"]]
    return [
        "| revision | message | time | longest block | growth |",
        "|---|---|---:|---:|---:|",
        *_first(rows, "| and {} more | | | | |"),
        "",
    ]


def _revision(one: dict[str, Any], block: float | None) -> str:
    numbers = ["not applied", NOTHING, NOTHING]
    if one["applied"]:
        numbers = [milliseconds(one["seconds"]), milliseconds(block) if block else NOTHING, human(one["grew"])]
    return f"| {' | '.join([_plain(one['revision']), _plain(one['message']), *numbers])} |"


def _first(lines: list[str], more: str) -> list[str]:
    hidden = len(lines) - SHOWN
    return [*lines[:SHOWN], more.format(hidden)] if hidden > 0 else lines


def _plain(text: str) -> str:
    """Return the text on one line, with everything escaped that is special in Markdown or HTML."""
    line = one_line(" ".join(text.split()))
    line = line if len(line) <= LONGEST else line[:LONGEST] + " …"
    return re.sub(r"([\\`*_{}\[\]<>|#~@&$])", r"\\\1", line)
