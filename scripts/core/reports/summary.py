"""summary.md: the verdict, the gates and what is dangerous, short enough for a comment on a pull request."""

import re
from typing import Any

from scripts.core.reports.words import VERDICTS, human, milliseconds

SHOWN = 20
"""Lines of details; the page has all."""


def render(document: dict[str, Any]) -> str:
    """Markdown in which nothing of the document is markup."""
    lines = [
        f"## Staging verification of {_plain(document['database'])}: {VERDICTS[document['verdict']]}",
        "",
        _plain(document["reason"]),
        "",
        f"From {_plain(', '.join(document['from']) or 'base')} to {_plain(document['to'])},"
        f" {document['started_at']}, {document['seconds']:g} s.",
        "",
        "| gate | result | time | what was found |",
        "|---|---|---:|---|",
        *(
            f"| {gate['name']} | {gate['status']} | {gate['seconds']:.1f} s | {_plain(gate['summary'])} |"
            for gate in document["gates"]
        ),
        "",
        *_details(document),
        *_revisions(document),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _details(document: dict[str, Any]) -> list[str]:
    told = [f"- {gate['name']}: {_plain(detail)}" for gate in document["gates"] for detail in gate["details"]]
    more = [f"- and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
    return [*told[:SHOWN], *more, ""] if told else []


def _revisions(document: dict[str, Any]) -> list[str]:
    if not document["revisions"]:
        return []
    longest: dict[str, float] = {}
    for lock in document["locks"]:
        longest[lock["revision"]] = max(longest.get(lock["revision"], 0), lock["seconds"])
    rows = [
        f"| {_plain(one['revision'])} | {_plain(one['message'])} |"
        f" {milliseconds(one['seconds']) if one['applied'] else 'not applied'} |"
        f" {milliseconds(longest.get(one['revision'], 0))} | {human(one['grew'] or 0)} |"
        for one in document["revisions"]
    ]
    return ["| revision | message | time | longest block | growth |", "|---|---|---:|---:|---:|", *rows]


def _plain(text: str) -> str:
    """On one line, with everything escaped that Markdown or HTML gives a meaning."""
    return re.sub(r"([\\`*_{}\[\]<>|#~@])", r"\\\1", " ".join(text.split()))
