"""Findings that the author of a revision declares safe: `# safe: H05 empty until launch`."""

import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scripts.core.plan.findings import Finding

_SAFE = re.compile(r"#\s*safe:\s*(H\d\d)\s+(\S.*)")


def of(path: Path, others: Sequence[Path] = ()) -> dict[str, str]:
    """Return the reason for each hazard that the comments of the file and of its SQL files suppress.

    Without a reason a comment has no effect.
    """
    with path.open("rb") as file:
        comments = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    for other in others:
        lines = other.read_bytes().decode("utf-8", "replace").splitlines() if other.suffix == ".sql" else []
        comments += [f"#{line.strip()[2:]}" for line in lines if line.strip().startswith("--")]
    return {found[1]: found[2].strip() for comment in comments if (found := _SAFE.match(comment))}


def apply(findings: Sequence[Finding], reasons: Mapping[str, str]) -> list[Finding]:
    """Return the same findings, with the reasons of those that are suppressed."""
    return [replace(finding, silenced=reasons.get(finding.id)) for finding in findings]
