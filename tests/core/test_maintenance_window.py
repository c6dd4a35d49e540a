"""scripts/core/maintenance_window.py"""

from datetime import datetime

import pytest

from scripts.core import maintenance_window, settings
from scripts.core.errors import USAGE, UserError

BERLIN = "Sun 02:00-05:00 Europe/Berlin"
NIGHT = "Wed 23:00-01:00 UTC"


def closed_until(windows: str, now: str) -> str | None:
    opens = maintenance_window.closed_until(maintenance_window.parse(windows), datetime.fromisoformat(now))
    return opens.isoformat(timespec="minutes") if opens else None


@pytest.mark.parametrize("text", ["", " ", ";", " ; "])
def test_without_a_window_it_is_always_open(text: str) -> None:
    assert maintenance_window.parse(text) == []
    assert maintenance_window.closed_until([]) is None


@pytest.mark.parametrize("text", [f"{BERLIN};{NIGHT}", f" {BERLIN} ; {NIGHT} ; "])
def test_windows_are_parted_by_semicolons(text: str) -> None:
    days = [
        (found.day, f"{found.start:%H:%M}", f"{found.end:%H:%M}", found.zone.key)
        for found in maintenance_window.parse(text)
    ]

    assert days == [(6, "02:00", "05:00", "Europe/Berlin"), (2, "23:00", "01:00", "UTC")]


MALFORMED = [
    "always",
    "02:00-05:00",
    "Sun 02:00-05:00",
    "02:00-05:00 UTC",
    "Sun 2:00-5:00 UTC",
    "Sun 02:00 - 05:00 UTC",
    "Sun 02:00-05:00  UTC",
    "Sun 02:00-24:00 UTC",
    "Sun 25:00-26:00 UTC",
    "Sun 02:60-05:00 UTC",
    "Sun \u0660\u0662:\u0660\u0660-\u0660\u0665:\u0660\u0660 UTC",
    "sun 02:00-05:00 UTC",
    "Sunday 02:00-05:00 UTC",
    "Son 02:00-05:00 Europe/Berlin",
    "Sun,Mon 02:00-05:00 UTC",
    "Sun 02:00-05:00 UTC, Mon 02:00-05:00 UTC",
    "Sun 02:00-05:00 UTC\nMon 02:00-05:00 UTC",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_window_is_shown_beside_one_that_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not like 'Sun 02:00-05:00 Europe/Berlin'") as caught:
        maintenance_window.parse(f"{NIGHT}; {text}")

    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "zone", ["Europe/Atlantis", "CEST", "+01:00", "Europe", "../UTC", "/etc/passwd", "UTC\0", "Zürich", "x" * 300]
)
def test_what_is_no_time_zone_is_named(zone: str) -> None:
    with pytest.raises(ValueError, match="is no time zone") as caught:
        maintenance_window.parse(f"Sun 02:00-05:00 {zone}")

    assert repr(zone) in str(caught.value)


def test_a_malformed_window_is_in_the_list_of_all_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINTENANCE_WINDOW", "Sundays")
    monkeypatch.setenv("LOCK_TIMEOUT", "short")

    with pytest.raises(UserError) as caught:
        settings.load()

    assert caught.value.code == USAGE
    assert "\n    MAINTENANCE_WINDOW: 'Sundays' is not like 'Sun 02:00-05:00 " in caught.value.problem
    assert "\n    LOCK_TIMEOUT is 'short', not a number" in caught.value.problem


# The 22nd of November 2026 is a Sunday.
@pytest.mark.parametrize(
    ("windows", "now", "opens"),
    [
        (BERLIN, "2026-11-22T01:59:59+01:00", "2026-11-22T02:00+01:00"),
        (BERLIN, "2026-11-22T02:00:00+01:00", None),
        (BERLIN, "2026-11-22T04:59:59+01:00", None),
        (BERLIN, "2026-11-22T05:00:00+01:00", "2026-11-29T02:00+01:00"),
        (BERLIN, "2026-11-23T03:00:00+01:00", "2026-11-29T02:00+01:00"),
        # Over midnight.
        (NIGHT, "2026-11-25T22:59:59+00:00", "2026-11-25T23:00+00:00"),
        (NIGHT, "2026-11-25T23:00:00+00:00", None),
        (NIGHT, "2026-11-26T00:59:59+00:00", None),
        (NIGHT, "2026-11-26T01:00:00+00:00", "2026-12-02T23:00+00:00"),
        (NIGHT, "2026-11-25T00:30:00+00:00", "2026-11-25T23:00+00:00"),
        ("Sun 23:00-01:00 UTC", "2026-11-23T00:30:00+00:00", None),
        # A whole day.
        ("Sun 02:00-02:00 UTC", "2026-11-23T01:59:59+00:00", None),
        ("Sun 02:00-02:00 UTC", "2026-11-23T02:00:00+00:00", "2026-11-29T02:00+00:00"),
        # Several: open when one is, else the one that comes first, whatever its place in the list.
        (f"{BERLIN}; {NIGHT}", "2026-11-22T03:00:00+01:00", None),
        (f"{BERLIN}; {NIGHT}", "2026-11-25T23:30:00+00:00", None),
        (f"{BERLIN}; {NIGHT}", "2026-11-23T00:00:00+00:00", "2026-11-25T23:00+00:00"),
        (f"{BERLIN}; {NIGHT}", "2026-11-27T00:00:00+00:00", "2026-11-29T02:00+01:00"),
        (
            "Mon 00:00-01:00 America/Los_Angeles; Mon 06:00-07:00 UTC",
            "2026-11-22T12:00+00:00",
            "2026-11-23T06:00+00:00",
        ),
        # The day is that of the zone.
        ("Sun 00:00-01:00 Pacific/Auckland", "2026-11-21T11:30:00+00:00", None),
        ("Sun 00:00-01:00 Pacific/Auckland", "2026-11-22T00:30:00+00:00", "2026-11-29T00:00+13:00"),
        ("Sun 23:00-23:30 America/Los_Angeles", "2026-11-23T07:15:00+00:00", None),
        # Clocks go forward at 02:00 on the 29th of March: the window begins with the hour that is there.
        (BERLIN, "2026-03-29T00:59:59+00:00", "2026-03-29T03:00+02:00"),
        (BERLIN, "2026-03-29T01:00:00+00:00", None),
        (BERLIN, "2026-03-29T02:59:59+00:00", None),
        (BERLIN, "2026-03-29T03:00:00+00:00", "2026-04-05T02:00+02:00"),
        ("Sun 06:00-07:00 Europe/Berlin", "2026-03-28T12:00:00+01:00", "2026-03-29T06:00+02:00"),
        ("Sat 23:00-04:00 Europe/Berlin", "2026-03-29T01:59:59+00:00", None),
        ("Sat 23:00-04:00 Europe/Berlin", "2026-03-29T02:00:00+00:00", "2026-04-04T23:00+02:00"),
        # A window that lies in the skipped hour, or whose end comes before its start then, is not promised.
        ("Sun 02:30-03:15 Europe/Berlin", "2026-03-29T00:00:00+00:00", "2026-04-05T02:30+02:00"),
        ("Sun 02:30-03:15 Europe/Berlin", "2026-03-29T01:20:00+00:00", "2026-04-05T02:30+02:00"),
        ("Sun 02:30-03:15 Europe/Berlin", "2026-03-22T12:00:00+01:00", "2026-04-05T02:30+02:00"),
        # Clocks go back at 03:00 on the 25th of October: the window is an hour longer.
        (BERLIN, "2026-10-24T23:59:59+00:00", "2026-10-25T02:00+02:00"),
        (BERLIN, "2026-10-25T00:00:00+00:00", None),
        (BERLIN, "2026-10-25T01:30:00+00:00", None),
        (BERLIN, "2026-10-25T03:59:59+00:00", None),
        (BERLIN, "2026-10-25T04:00:00+00:00", "2026-11-01T02:00+01:00"),
        ("Sun 06:00-07:00 Europe/Berlin", "2026-10-24T12:00:00+02:00", "2026-10-25T06:00+01:00"),
        ("Sat 23:00-04:00 Europe/Berlin", "2026-10-25T02:59:59+00:00", None),
        ("Sat 23:00-04:00 Europe/Berlin", "2026-10-25T03:00:00+00:00", "2026-10-31T23:00+01:00"),
    ],
)
def test_open_or_when_the_next_one_opens(windows: str, now: str, opens: str | None) -> None:
    assert closed_until(windows, now) == opens


def test_what_it_says_of_now_is_true() -> None:
    every_day = "; ".join(f"{day} 00:00-00:00 UTC" for day in maintenance_window.DAYS)

    assert maintenance_window.closed_until(maintenance_window.parse(every_day)) is None
