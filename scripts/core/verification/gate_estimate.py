"""The real run: how long it takes, how long it blocks, how much disk it needs, and whether it fits the window."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from scripts.core.maintenance_window import Window
from scripts.core.verification import lock_durations
from scripts.core.verification.context import WARNED, Case, Outcome, refused

ID, NAME, NEEDS = "estimate", "estimate", ("migrated",)

_DURABLE = text("SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit') AND setting = 'off'")


def check(case: Case) -> Outcome:
    """Return what to expect."""
    total = sum(timed.seconds for timed in case.timed)
    longest = lock_durations.longest(case)
    wal = sum(timed.wal for timed in case.timed)
    grown = sum(timed.grew for timed in case.timed)
    case.facts = [
        ("Time", f"{total:.2f} s"),
        ("Longest block", f"{longest.seconds * 1000:.0f} ms: {longest.text}" if longest else "none"),
        (
            "Disk while it runs",
            f"{max(case.trace.peak or 0, 0) / 1e6:,.1f} MB, and {wal / 1e6:,.1f} MB of write-ahead log",
        ),
        ("Growth afterwards", f"{grown / 1e6:,.1f} MB"),
    ]
    limits = case.target.limits
    summary = f"{total:.1f} s, {longest.seconds * 1000 if longest else 0:.0f} ms blocked"
    if limits.windows:
        window = min(_length(one) for one in limits.windows)
        case.facts.append(("Maintenance window", f"{limits.maintenance_window}, {window / 60:,.0f} min"))
        if total > window:
            return refused("window", Outcome(f"{summary}; the window is only {window / 60:,.0f} min long"))
        summary += f"; fits the window of {window / 60:,.0f} min"
    lazy = list(case.server.server.scalars(_DURABLE))
    if lazy:
        why = f"The scratch server has {' and '.join(lazy)} off. A real server waits for its disk and takes longer."
        return Outcome(summary, [why], WARNED if limits.windows else "passed")
    return Outcome(summary)


def _length(window: Window) -> float:
    """Return the seconds of a window."""
    day = datetime(2000, 1, 1, tzinfo=UTC)
    start, end = datetime.combine(day, window.start), datetime.combine(day, window.end)
    return ((end if end > start else end + timedelta(days=1)) - start).total_seconds()
