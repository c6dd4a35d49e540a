"""The positions of the bars in the timeline: revisions, and below them the locks that block the application."""

import math
from dataclasses import dataclass
from typing import Any

from scripts.core.formatting import milliseconds
from scripts.core.postgres.lock_modes import BLOCKS

LEFT, WIDTH, ROW, TOP = 200, 760, 26, 44
"""In units of the picture: the room for names, for the time, for a line, and for the scale."""
TABLES = 40
"""Tables with a line of their own: those that block longest. The table of locks has all."""
THIN = 2.0
CHARACTER, MARGIN = 7.5, 12
"""The size of a label in a bar."""


@dataclass(frozen=True)
class Bar:
    x: float
    width: float
    y: float
    kind: str
    """revision, writes, or both."""
    name: str
    title: str

    @property
    def label(self) -> str:
        """Return the text in the bar, or nothing if it does not fit."""
        return self.name if len(self.name) * CHARACTER + MARGIN <= self.width else ""


@dataclass(frozen=True)
class Timeline:
    height: float
    names: list[tuple[float, str]]
    """The position and the name of each line."""
    ticks: list[tuple[float, str]]
    bars: list[Bar]
    hidden: int
    """The number of tables without a line."""


def make(document: dict[str, Any]) -> Timeline | None:
    """Return the timeline, or None if nothing was executed."""
    spans = [span for revision in document["revisions"] if (span := _span(revision))]
    if not spans:
        return None
    total = max(*(end for _, _, end in spans), *(lock["began"] + lock["seconds"] for lock in document["locks"]), 1e-4)
    tables, shown = _tables(document["locks"])
    bars = [
        Bar(*_extent(total, began, end - began), _y(0), "revision", name, f"{name}, {milliseconds(end - began)}")
        for name, began, end in spans
    ]
    for lock in document["locks"]:
        if lock["relation"] in shown:
            whom, line = BLOCKS[lock["mode"]], 1 + shown.index(lock["relation"])
            title = f"{lock['relation']}: {lock['mode']} blocks {whom} for {milliseconds(lock['seconds'])}"
            extent = _extent(total, lock["began"], lock["seconds"])
            bars.append(Bar(*extent, _y(line), "writes" if whom == "writes" else "both", lock["mode"], title))
    names = [(_y(number), _short(name)) for number, name in enumerate(["revisions", *shown])]
    return Timeline(_y(len(names)) + 8, names, _ticks(total), bars, tables - len(shown))


def _span(revision: dict[str, Any]) -> tuple[str, float, float] | None:
    """Return name, begin and end of a revision that executed a statement."""
    statements = revision["statements"]
    if not statements:
        return None
    end = max(one["began"] + max(one["held"], one["seconds"]) for one in statements)
    return revision["revision"], statements[0]["began"], end


def _tables(locks: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Return the number of tables, and those with a line, in the order in which they were locked."""
    waits: dict[str, float] = {}
    for lock in locks:
        waits[lock["relation"]] = max(waits.get(lock["relation"], 0), lock["seconds"])
    longest = set(sorted(waits, key=lambda name: -waits[name])[:TABLES])
    return len(waits), [name for name in waits if name in longest]


def _ticks(total: float) -> list[tuple[float, str]]:
    """Return at most six round numbers."""
    power = 10 ** math.floor(math.log10(total))
    step = next(power * part for part in (0.2, 0.5, 1, 2) if total <= power * part * 5)
    times = [number * step for number in range(int(total / step) + 1)]
    return [(_extent(total, time, 0)[0], milliseconds(time) if time else "0") for time in times]


def _extent(total: float, began: float, seconds: float) -> tuple[float, float]:
    """Return where a bar begins, and its width, which is never too thin to see."""
    return round(LEFT + WIDTH * began / total, 2), round(max(WIDTH * seconds / total, THIN), 2)


def _y(line: int) -> float:
    return TOP + line * ROW


def _short(name: str) -> str:
    return name if len(name) <= 26 else name[:25] + "…"
