"""Maintenance windows, as in `Sun 02:00-05:00 Europe/Berlin; Wed 23:00-01:00 UTC`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
FORM = re.compile(rf"(?P<day>[A-Z][a-z]{{2}}) (?P<start>{TIME})-(?P<end>{TIME}) (?P<zone>\S+)")


@dataclass(frozen=True)
class Window:
    day: int
    """0 is Monday."""
    start: time
    end: time
    """If it is not after `start`, the window ends on the next day."""
    zone: ZoneInfo

    def next_opening(self, now: datetime) -> datetime:
        """Return when it opens next, or when it opened if it is open. Times are local, so summer time moves them."""
        today = now.astimezone(self.zone).date()
        for days in range(-7, 16):
            date = today + timedelta(days=days)
            # In UTC, because arithmetic within a zone ignores the hour of summer time. A time that is skipped comes an
            # hour later, and a whole window may be skipped.
            opens = datetime.combine(date, self.start, self.zone).astimezone(UTC)
            last = date + timedelta(days=1) if self.end <= self.start else date
            over = datetime.combine(last, self.end, self.zone).astimezone(UTC)
            if date.weekday() == self.day and now < over and opens < over:
                return opens.astimezone(self.zone)
        raise AssertionError("of two weeks at most one day is skipped")


def parse(text: str) -> list[Window]:
    """Return the windows of a setting. Raise ValueError with the reason if it is invalid."""
    return [_window(part.strip()) for part in text.split(";") if part.strip()]


def _window(text: str) -> Window:
    found = FORM.fullmatch(text)
    if not found or found["day"] not in DAYS:
        raise ValueError(f"{text!r} is not like 'Sun 02:00-05:00 Europe/Berlin'")
    try:
        zone = ZoneInfo(found["zone"])
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{found['zone']!r} is no time zone") from error
    return Window(DAYS.index(found["day"]), time.fromisoformat(found["start"]), time.fromisoformat(found["end"]), zone)


def closed_until(windows: list[Window], now: datetime | None = None) -> datetime | None:
    """Return when the next window opens, or None if one is open now or none is set."""
    now = now or datetime.now(UTC)
    openings = [window.next_opening(now) for window in windows]
    if not openings or any(opening.astimezone(UTC) <= now for opening in openings):
        return None
    return min(openings, key=lambda opening: opening.astimezone(UTC))
