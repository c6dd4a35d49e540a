"""Where the bars of the timeline lie: revisions over time, and below them the locks that keep the application out."""

from dataclasses import dataclass
from typing import Any

from scripts.core.reports.words import milliseconds
from scripts.core.trace import BLOCKS

LEFT, WIDTH, ROW, TOP = 200, 760, 26, 44
"""Of the picture's own units: room for names, for the time, for a line, and for the scale."""
TABLES = 40
"""So many have a line; the table of locks has all."""
THIN = 2.0


@dataclass(frozen=True)
class Bar:
    x: float
    width: float
    y: float
    kind: str
    """revision, odd (every second one), writes, or both."""
    title: str


@dataclass(frozen=True)
class Timeline:
    height: float
    names: list[tuple[float, str]]
    """Where, and what, the lines are."""
    ticks: list[tuple[float, str]]
    bars: list[Bar]
    hidden: int
    """Tables without a line of their own."""


def make(document: dict[str, Any]) -> Timeline | None:
    """None where nothing was executed."""
    spans = [span for revision in document["revisions"] if (span := _span(revision))]
    if not spans:
        return None
    total = max(*(end for _, _, end in spans), *(lock["began"] + lock["seconds"] for lock in document["locks"]), 1e-4)
    tables = list(dict.fromkeys(lock["relation"] for lock in document["locks"]))
    shown = tables[:TABLES]
    bars = []
    for number, (name, began, end) in enumerate(spans):
        title = f"{name}, {milliseconds(end - began)}"
        bars.append(Bar(*_extent(total, began, end - began), _y(0), "odd" if number % 2 else "revision", title))
    for lock in document["locks"]:
        if lock["relation"] in shown:
            whom, line = BLOCKS[lock["mode"]], 1 + shown.index(lock["relation"])
            title = f"{lock['relation']}: {lock['mode']} keeps out {whom} for {milliseconds(lock['seconds'])}"
            extent = _extent(total, lock["began"], lock["seconds"])
            bars.append(Bar(*extent, _y(line), "writes" if whom == "writes" else "both", title))
    names = [(_y(number), _short(name)) for number, name in enumerate(["revisions", *shown])]
    ticks = [(LEFT + WIDTH * part / 4, milliseconds(total * part / 4)) for part in range(5)]
    return Timeline(_y(len(names)) + 8, names, ticks, bars, len(tables) - len(shown))


def _span(revision: dict[str, Any]) -> tuple[str, float, float] | None:
    """Name, begin and end of a revision that executed anything."""
    statements = revision["statements"]
    if not statements:
        return None
    end = max(one["began"] + max(one["held"], one["seconds"]) for one in statements)
    return revision["revision"], statements[0]["began"], end


def _extent(total: float, began: float, seconds: float) -> tuple[float, float]:
    """Where a bar begins, and how wide it is: never too thin to be seen."""
    return round(LEFT + WIDTH * began / total, 2), round(max(WIDTH * seconds / total, THIN), 2)


def _y(line: int) -> float:
    return TOP + line * ROW


def _short(name: str) -> str:
    return name if len(name) <= 26 else name[:25] + "…"
