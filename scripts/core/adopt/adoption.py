"""A project that is about to move here: what was found in it, and the changes."""

from dataclasses import dataclass, field
from pathlib import Path

from scripts.core.adopt.changes import CheckoutChanges
from scripts.core.adopt.command import Start
from scripts.core.adopt.compose_file import ComposeFile
from scripts.core.adopt.dependencies import Dependencies
from scripts.core.adopt.env_py import Carried
from scripts.core.adopt.found import ExistingProject
from scripts.core.adopt.packages import Code
from scripts.core.adopt.recorded import Recorded
from scripts.core.adopt.resolution import Resolved


@dataclass
class Adoption:
    """A project, what was found in it, and the changes that move it here."""

    project: ExistingProject
    dependencies: Dependencies
    resolved: Resolved
    recorded: Recorded
    code: Code
    carried: Carried
    metadata: list[str]
    driver: str
    start: Start
    variables_from: str
    variables: dict[str, str]
    compose: ComposeFile
    options: dict[str, str]
    changes: CheckoutChanges
    python: Path
    not_carried: list[str] = field(default_factory=list)
