"""The table of docs/troubleshooting.md, and what make doctor says of a project."""

import json
import re
import subprocess
from dataclasses import dataclass

from tests.conftest import ROOT, Project

ROWS = {
    check: (shows, cure)
    for check, shows, cure in re.findall(
        r"^\| `([a-z-]+)` \| (.+?) \| (.+) \|$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE
    )
}
"""How each check shows, and the cure."""


@dataclass(frozen=True)
class Said:
    """What the doctor said of everything."""

    code: int
    checks: dict[str, dict[str, str]]

    def state(self, check: str) -> str:
        return self.checks[check]["state"]

    def line(self, check: str) -> str:
        return self.checks[check]["line"]

    def cure(self, check: str) -> str:
        return self.checks[check]["cure"]

    @property
    def wrong(self) -> dict[str, str]:
        """What is wrong, by the id of the check."""
        return {check: one["line"] for check, one in self.checks.items() if one["state"] == "wrong"}


def read(printed: str, code: int) -> Said:
    """What a doctor that ended has printed as JSON."""
    document = json.loads(printed)
    assert document["format"] == 1
    return Said(code, {one["id"]: one for one in document["checks"]})


def finds(said: Said, *checks: str) -> None:
    """Exactly these are wrong, and each line has the words of the table and a cure."""
    assert list(said.wrong) == list(checks), said.wrong
    assert said.code == (1 if checks else 0)
    for check in checks:
        pieces = [re.split(r" ?… ?", words) for words in re.findall(r"`([^`]+)`", ROWS[check][0])]
        line = re.sub(r"\d+ heads", "2 heads", said.line(check))
        assert any(all(piece in line for piece in words) for words in pieces), line
        assert said.cure(check)


def typed(check: str, number: int = 0, **names: str) -> str:
    """A command of the table's row, with these names in place of <name>."""
    command: str = [word for word in re.findall(r"`([^`]+)`", ROWS[check][1]) if " " in word][number]
    for name, value in names.items():
        command = command.replace(f"<{name}>", value)
    return command


def type_in(project: Project, command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Type a command in the project, as its user does."""
    result = project.call("sh", "-c", command, **environment)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result
