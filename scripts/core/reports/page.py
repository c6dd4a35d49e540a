"""index.html: the report for people, made from report.json alone. It is one file that loads nothing."""

from pathlib import Path
from typing import Any

from mako.template import Template

from scripts.core import formatting
from scripts.core.reports import sql_highlight, timeline

TEMPLATE = Path(__file__).with_name("page.html")


def render(document: dict[str, Any]) -> str:
    """Return the page. The template escapes every value (`default_filters`), so no name can be markup."""
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


def _worth_telling(revision: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in revision["findings"] if one["severity"] != "note" or one["silenced"]]
