"""The page and the summary, made of a document alone"""

import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from scripts.core.reports import page, sql_highlight, summary, timeline

CHROMIUM = shutil.which("chromium")
EVIL = '<script>document.title = "owned"</script>'
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--enable-logging=stderr"),
)
SECTIONS = ["Gates", "Timeline", "Statements", "Hazards", "Schema before and after", "Data"]


def gate(id_: str, status: str = "passed", *details: str) -> dict[str, Any]:
    return {
        "id": id_,
        "name": id_,
        "status": status,
        "seconds": 0.1,
        "summary": f"{id_} said",
        "details": list(details),
    }


def statement(name: str) -> dict[str, Any]:
    return {
        "sql": f"ALTER TABLE {name} ADD x text DEFAULT '{name}' -- {name}",
        "line": 12,
        "count": 1,
        "began": 0.1,
        "seconds": 0.2,
        "held": 0.3,
        "alone": False,
        "locks": [{"relation": name, "mode": "AccessExclusiveLock"}],
        "rewrites": [name],
        "scans": [name],
        "rows_written": {name: 5},
        "effects": [f"rewrites {name}"],
    }


def finding(name: str) -> dict[str, Any]:
    return {
        "id": "H01",
        "hazard": "rewrite",
        "severity": "block",
        "relation": name,
        "blocks": "reads",
        "line": 12,
        "message": f"{name} is rewritten.",
        "instead": f'op.execute("{name}")',
        "silenced": None,
    }


def revision(id_: str, name: str) -> dict[str, Any]:
    return {
        "revision": id_,
        "message": name,
        "file": f"alembic/versions/{name}.py",
        "author": name,
        "file_sha256": "",
        "source_sha256": "",
        "applied": True,
        "seconds": 0.3,
        "grew": -4096,
        "wal": 10,
        "statements": [statement(name)],
        "findings": [finding(name)],
    }


def lock(name: str) -> dict[str, Any]:
    return {"relation": name, "mode": "AccessExclusiveLock", "revision": "abcd01", "began": 0.1, "seconds": 0.3}


def backup(name: str) -> dict[str, Any]:
    return {"name": name, "created_at": "", "environment": name, "tables": 1, "rows": 9, "bytes": 1, "excluded": []}


def document(name: str = "users", tables: int = 2, revisions: int = 2, **other: Any) -> dict[str, Any]:
    """A report in which everything that can be a user's word is `name`."""
    return {
        "format": 1,
        "verdict": "failed",
        "reason": f"upgrade: {name}",
        "started_at": "2026-11-25T04:49:13+00:00",
        "seconds": 2.5,
        "database": name,
        "from": [name],
        "to": name,
        "backup": backup(name),
        "gates": [
            gate("source"),
            gate("upgrade", "failed", f"The statement fails for 20 rows of {name}."),
            gate("data", "not run"),
        ],
        "revisions": [revision(f"abcd{number:02}", name) for number in range(revisions)],
        "locks": [lock(f"{name}{number or ''}") for number in range(tables)],
        "schema": [{"name": name, "kind": "structure", "before": name, "after": None}],
        "data": [
            {"table": f"{name}{number}", "before": 1, "after": None, "verdict": "gone", "note": name}
            for number in range(tables)
        ],
        "estimate": {"Time": name},
        "environment": {name: name},
        **other,
    }


class Outline(HTMLParser):
    """Elements in order, and whether they are nested as they should be."""

    VOID = ("meta", "link", "line")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == tag]


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    text = page.render(document())
    outline = Outline(text)

    assert len(outline.all("h1")) == 1
    assert re.findall(r"<h2 id=\"\w+\">(.*?)</h2>", text)[:6] == SECTIONS
    assert outline.all("script") == []
    assert [link["href"] for link in outline.all("link")] == ["data:,"]
    assert not re.search(r"(src|href|action)=\"(?!#|data:,)|url\(|@import|https?://", text)
    assert len(outline.all("table")) == len(outline.all("caption")) > 3
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(link["href"])[1:] for link in outline.all("a")} <= set(ids)
    assert text.index("upgrade: users") < text.index("20 rows of users") < text.index('<h2 id="gates"')


def test_no_name_is_markup_in_the_page_or_the_summary() -> None:
    outline = Outline(page.render(document(EVIL)))
    text = summary.render(document(EVIL + " | [a](b) `c`\n# d"))

    assert outline.all("script") == []
    policy = {meta.get("http-equiv"): meta.get("content") for meta in outline.all("meta")}
    assert str(policy["Content-Security-Policy"]).startswith("default-src 'none'; ")
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert not re.search(r"(?<!\\)[<`\[]", text)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")} == {5, 6}


def test_no_name_makes_a_line_or_a_control_character() -> None:
    hostile = "a\n::error::X\x1b[2J\u202e"
    text = page.render(document(hostile))

    assert "<li>The statement fails for 20 rows of a\\n::error::X\ufffd[2J\ufffd.</li>" in text
    assert not re.search("[\x1b\u202e]", text + summary.render(document(hostile)))
    assert "\n::error::" not in summary.render(document(hostile))
    assert "\n::error::" not in page.render(document(hostile, revisions=0, schema=[]))


def test_the_summary_tells_the_cause_first_and_fits_into_a_comment() -> None:
    gates = [gate("source"), gate("upgrade", "failed", *["x_" * 10_000] * 900), gate("data", "passed", "rows written")]
    text = summary.render(document(revisions=300, gates=gates))

    assert text.startswith("## ✗ Staging verification of users: failed\n\nupgrade: users\n\n- upgrade: x")
    assert text.index("- and 880 more") < text.index("| gate |") < text.index("- data: rows written")
    assert "| and 280 more | | | | |\n" in text
    assert len(text) < 65_536


@pytest.mark.parametrize("verdict", ["passed", "warned", "failed", "interrupted"])
def test_every_verdict_is_a_word(verdict: str) -> None:
    made = document(verdict=verdict, gates=[gate("source", verdict)], revisions=0, locks=[], schema=[], data=[])

    word = {"warned": "passed, with warnings"}.get(verdict, verdict)

    assert f"</span> {word.capitalize()}</span></h1>" in page.render(made)
    assert summary.render(made).splitlines()[0].endswith(f": {word}")


def test_a_gate_with_much_to_say_does_not_push_the_others_away() -> None:
    made = document(gates=[gate("upgrade", "failed", *(f"hazard {number}" for number in range(600)))])
    shown, hidden = page.render(made).split("<summary>and 592 more</summary>")

    assert "and 592 more, in the table below" in shown
    assert "hazard 7<" in shown
    assert "hazard 8<" not in shown
    assert "hazard 599<" in hidden


def luminance(colour: str) -> float:
    """As "Web Content Accessibility Guidelines" 2 defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_everything_can_be_read_in_both_schemes(scheme: int) -> None:
    colours = dict(
        re.findall(r"--([\w-]+): (#\w+);", page.render(document()).split(":root {")[1 + scheme].split("}")[0])
    )
    words = [
        (name, paper) for name in ("ink", "dim", "key", "text", "good", "warn", "bad") for paper in ("paper", "card")
    ]
    chips = [(name, f"{name}-bg") for name in ("good", "warn", "bad", "none")]
    bars = [("paper", name) for name in ("revision", "writes", "both")]

    for name, paper in words + chips + bars:
        dark, bright = sorted(luminance(colours[one]) for one in (name, paper))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, (name, paper)


def test_sql_keeps_its_text() -> None:
    made = sql_highlight.highlight("SELECT 'it''s' AS \"from\" -- <b>\n/* x */ FROM t")

    assert made == (
        "<b>SELECT</b> <i>&#39;it&#39;&#39;s&#39;</i> <b>AS</b> &#34;<b>from</b>&#34; <s>-- &lt;b&gt;</s>\n"
        "<s>/* x */</s> <b>FROM</b> t"
    )


def test_bars_lie_within_the_picture() -> None:
    made = timeline.make(document(tables=60))

    assert made
    assert made.hidden == 20
    assert all(bar.x >= timeline.LEFT and bar.x + bar.width <= timeline.LEFT + timeline.WIDTH + 2 for bar in made.bars)
    assert max(bar.y for bar in made.bars) < made.height
    assert timeline.make(document(revisions=0)) is None


def test_the_tables_that_wait_longest_have_a_line() -> None:
    made = document(tables=60)
    for number, lock in enumerate(made["locks"]):
        lock["seconds"] = number / 100

    found = timeline.make(made)

    assert found
    assert [name for _, name in found.names] == ["revisions", *(f"users{number}" for number in range(20, 60))]


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.0042, ["0", "1.0 ms", "2.0 ms", "3.0 ms", "4.0 ms"]),
        (0.4, ["0", "100 ms", "200 ms", "300 ms", "400 ms"]),
        (5.9, ["0", "2.0 s", "4.0 s"]),
    ],
)
def test_the_scale_has_round_numbers(seconds: float, labels: list[str]) -> None:
    made = document(tables=1, revisions=1)
    made["locks"][0]["seconds"] = seconds - made["locks"][0]["began"]
    for statement in made["revisions"][0]["statements"]:
        statement |= {"began": 0, "held": seconds, "seconds": seconds}

    found = timeline.make(made)

    assert found
    assert [label for _, label in found.ticks] == labels


def test_two_hundred_tables_and_fifty_revisions_are_less_than_two_megabytes() -> None:
    assert len(page.render(document(tables=200, revisions=50)).encode()) < 2_000_000


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Opens a page in Chromium, whose console comes out on standard error."""

    def browse(text: str, *words: str) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "index.html").write_text(text)
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'chromium'}", "--window-size=1280,800", *words]
        return subprocess.run(
            [*command, (tmp_path / "index.html").as_uri()], capture_output=True, text=True, timeout=90, check=True
        )

    return browse


# What a reader sees without scrolling, and on a phone, told by the page itself to a copy of it that has a script.
PROBE = """<script>
const phone = document.createElement("iframe");
phone.width = 390;
phone.srcdoc = document.documentElement.outerHTML.replace(/<script>[^]*/, "");
phone.onload = () => document.title = document.title.replace(
  "phone", phone.contentDocument.documentElement.scrollWidth > 390);
document.body.append(phone);
const seen = [...document.querySelectorAll("h1, .word, .reason, .cause li")].map(e => e.getBoundingClientRect());
document.title = JSON.stringify({
  lowest: Math.max(...seen.map(box => box.bottom)), height: innerHeight,
  wide: document.documentElement.scrollWidth > innerWidth, narrow: "phone",
  headings: [...document.querySelectorAll("h2")].map(e => e.textContent),
});
</script></body>"""


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_a_browser_shows_the_cause_without_scrolling_and_complains_of_nothing(
    browse: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    text = page.render(document())

    allowed = text.replace("default-src 'none'", "default-src 'unsafe-inline'", 1)
    result = browse(allowed.replace("</body>", PROBE), "--dump-dom")

    assert "CONSOLE" not in result.stderr, result.stderr
    found = re.search(
        r'<title>\{"lowest":([\d.]+),"height":(\d+),"wide":(\w+),"narrow":"(\w+)","headings":\[(.*?)\]', result.stdout
    )
    assert found, result.stdout[:500]
    assert float(found[1]) < int(found[2])
    assert (found[3], found[4]) == ("false", "false")
    assert found[5].replace('"', "").split(",")[:6] == SECTIONS


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_a_browser_runs_nothing_that_a_table_is_called(
    browse: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    result = browse(page.render(document(EVIL)), "--dump-dom")

    assert "<title>owned</title>" not in result.stdout
    assert "&lt;script&gt;" in result.stdout
