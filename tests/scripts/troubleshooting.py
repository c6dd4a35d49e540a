"""The table of docs/troubleshooting.md, and what make doctor says of a project."""

import json
import re
import subprocess
from dataclasses import dataclass

from tests.conftest import ROOT, Project

ROWS = re.findall(
    r"^\| `([a-z-]+)` \| (.+?) \| (.+) \|$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE
)
"""The check, how it shows, and the cure."""


@dataclass(frozen=True)
class Said:
    """What the doctor said of everything."""

    code: int
    checks: dict[str, dict[str, str]]

    def state(self, check: str) -> str:
        return self.checks[check]["state"]

    @property
    def wrong(self) -> dict[str, str]:
        """What is wrong, by the id of the check, with its cure."""
        return {
            check: f"{one['line']} Do: {one['cure']}" for check, one in self.checks.items() if one["state"] == "wrong"
        }


def read(result: "subprocess.CompletedProcess[str]") -> Said:
    """What a doctor that ended has printed as JSON."""
    document = json.loads(result.stdout)
    assert document["format"] == 1
    return Said(result.returncode, {one["id"]: one for one in document["checks"]})


def cures(check: str) -> list[str]:
    """The commands in the table's row of a check."""
    (cure,) = (cure for name, _, cure in ROWS if name == check)
    return [word for word in re.findall(r"`([^`]+)`", cure) if " " in word]


def type_cure(project: Project, check: str, number: int = 0, **names: str) -> None:
    """Type a command of the table, with these names in place of <name>."""
    command = cures(check)[number]
    for name, value in names.items():
        command = command.replace(f"<{name}>", value)
    result = project.call("sh", "-c", command)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
