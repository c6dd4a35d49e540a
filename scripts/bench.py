"""Compare the speed of the make targets with their peers, in pairs: ours, the peer's, ours, ...

    make bench

A ratio is the median over the pairs, so that a machine whose speed drifts does not decide. Needs `make up` before.
"""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.core import command, console, settings, shell

PAIRS = 7
ALEMBIC = {
    "docker": ("docker", "compose", "exec", "-T", "app", "alembic", "upgrade", "head"),
    "embedded": (".venv/bin/alembic", "upgrade", "head"),
}
DO_NOTHING = ("true",)


@dataclass(frozen=True)
class Race:
    """One of our commands against a peer's; or against the clock, where there is none."""

    ours: tuple[str, ...]
    peer: tuple[str, ...]
    goal: float
    """At most so many times the peer's time, or so many seconds."""


def main(argv: Sequence[str] | None = None) -> int:
    command.parser(__doc__, "bench").parse_args(argv)

    runtime = settings.load().runtime
    races = (
        Race(("make", "migrate"), ALEMBIC[runtime], 1.4),
        Race(("make", "up"), (), 4),
        Race(("make", "help"), (), 0.2),
    )
    console.say(f"RUNTIME={runtime}, {PAIRS} pairs each, whole processes, medians")
    for race in races:
        console.say(line(race))
    return 0


def line(race: Race) -> str:
    """Runs the race and tells the result in words."""
    name = " ".join(race.ours)
    for words in (race.ours, race.peer or DO_NOTHING):
        shell.seconds(words)
    pairs = [(shell.seconds(race.ours), shell.seconds(race.peer or DO_NOTHING)) for _ in range(PAIRS)]
    ours, peers = (statistics.median(times) for times in zip(*pairs, strict=True))
    if not race.peer:
        return f"{name:<14} {ours:5.2f} s{'':<42} (goal: {race.goal:g} s)"
    ratio = statistics.median(our / peer for our, peer in pairs)
    return f"{name:<14} {ours:5.2f} s   {' '.join(race.peer)} {peers:.2f} s   {ratio:.2f} x (goal: {race.goal:g} x)"


if __name__ == "__main__":
    sys.exit(command.run(main))
