"""Findings that the author of a revision declares safe: `# safe: H05 empty until launch`."""

import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scripts.core.plan.findings import Finding

_SAFE = re.compile(r"#\s*safe:\s*(H\d\d)\s+(\S.*)")


def of(path: Path) -> dict[str, str]:
    """Return the reason for each hazard that the file's comments suppress. Without a reason a comment has no effect."""
    with path.open("rb") as file:
        comments = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    return {found[1]: found[2].strip() for comment in comments if (found := _SAFE.match(comment))}


def apply(findings: Sequence[Finding], reasons: Mapping[str, str]) -> list[Finding]:
    """Return the same findings, with the reasons of those that are suppressed."""
    return [replace(finding, silenced=reasons.get(finding.id)) for finding in findings]
