"""SQL as HTML: keywords and texts are marked, and everything is escaped."""

import re

from markupsafe import Markup, escape

_PART = re.compile(r"(?P<text>'(?:[^']|'')*')|(?P<note>--[^\n]*|/\*.*?\*/)|(?P<word>[A-Za-z_]\w*)", re.DOTALL)
_KEYWORD = re.compile(
    r"add|all|alter|always|and|any|array|as|asc|begin|between|by|cascade|case|check|cluster|collate|column"
    r"|comment|commit|concurrently|constraint|create|cross|data|database|default|deferrable|delete|desc"
    r"|distinct|do|domain|drop|else|end|enum|except|exclude|exclusive|execute|exists|extension|false|for"
    r"|foreign|from|function|generated|grant|group|having|identity|if|ilike|immediate|in|include|index"
    r"|inherits|initially|insert|instead|intersect|into|is|join|key|lateral|left|like|limit|local|lock"
    r"|materialized|mode|not|nothing|null|of|off|offset|on|only|or|order|outer|over|owner|partition|policy"
    r"|primary|procedure|references|refresh|rename|replace|restrict|returning|returns|revoke|right|role"
    r"|row|rows|schema|security|select|sequence|session|set|share|stored|table|temporary|text|then|to"
    r"|trigger|true|truncate|type|union|unique|update|user|using|valid|validate|value|values|view|when"
    r"|where|with",
    re.IGNORECASE,
)


def highlight(sql: str) -> Markup:
    """Return SQL with keywords in <b>, texts in <i>, and comments in <s>."""
    made, end = Markup(), 0
    for found in _PART.finditer(sql):
        made += escape(sql[end : found.start()]) + _part(found)
        end = found.end()
    return made + escape(sql[end:])


def _part(found: re.Match[str]) -> Markup:
    words = escape(found[0])
    if found["text"]:
        return Markup("<i>{}</i>").format(words)
    if found["note"]:
        return Markup("<s>{}</s>").format(words)
    return Markup("<b>{}</b>").format(words) if _KEYWORD.fullmatch(found[0]) else words
