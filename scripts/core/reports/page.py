"""index.html: the report for people, made from report.json alone. It is one file that loads nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mako.template import Template

from scripts.core import formatting
from scripts.core.reports import sql_highlight, timeline

LINES = ("sql", "instead", "before", "after")
"""The texts that are shown as several lines."""
TEMPLATE = Path(__file__).with_name("page.html")


def render(document: dict[str, Any]) -> str:
    """Return the page. The template escapes every value (`default_filters`), so no name can be markup."""
    document = _printable(document, formatting.message)
    template = Template(  # noqa: S702  (every expression goes through "h")
        filename=str(TEMPLATE), default_filters=["h"], strict_undefined=True, input_encoding="utf-8"
    )
    page: str = template.render(
        report=document,
        timeline=timeline.make(document),
        highlight=sql_highlight.highlight,
        words=formatting,
        failed=[gate for gate in document["gates"] if gate["status"] in ("failed", "interrupted")],
        dangerous=[(one, findings) for one in document["revisions"] if (findings := _worth_telling(one))],
    )
    return page


def _printable(value: Any, clean: Callable[[str], str]) -> Any:
    """Return a part of the document without characters that make lines or move the cursor."""
    if isinstance(value, dict):
        return {
            formatting.message(key): _printable(one, formatting.printable if key in LINES else clean)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_printable(one, clean) for one in value]
    return clean(value) if isinstance(value, str) else value


def _worth_telling(revision: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in revision["findings"] if one["severity"] != "note" or one["silenced"]]
