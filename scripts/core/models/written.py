"""What a new revision file has, and what is known of one that was written."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.core.migrate.alembic_commands import New
from scripts.core.models.compare import ModelComparison
from scripts.core.models.fill import Fills
from scripts.core.models.step import ModelStep
from scripts.core.plan.findings import Finding, Undone
from scripts.core.plan.hazards import h12_downgrade
from scripts.core.plan.plan import Planned
from scripts.core.plan.table_sizes import NOTE


@dataclass(frozen=True)
class Asked:
    """What the user says about a new revision."""

    message: str
    renames: str
    """RENAME: see `rename.decide`."""
    fills: str
    """FILL: see `fill.decide`."""
    rev_id: str = ""
    """Its id; empty: a new one."""


@dataclass(frozen=True)
class Content:
    """What a new file has besides what autogenerate finds."""

    new: New
    message: str
    more: Sequence[ModelStep]
    dropped: Mapping[tuple[str, ...], str]
    """The keys of columns and tables that may be dropped, and the partition key of each table that has one."""
    changed: Collection[tuple[str, ...]]
    """What differs: see `alike.changed`."""
    fills: Fills


@dataclass(frozen=True)
class Written:
    comparison: ModelComparison
    """What differs between the models and the revision files, including the new one."""
    path: Path | None = None
    """The new file; None if Alembic found nothing to write."""
    planned: Planned | None = None
    """What the new revision does, with its findings."""
    undone: Undone = field(default_factory=Undone)
    fills: Fills = field(default_factory=dict)
    notes: Sequence[str] = ()
    """Functions whose text names what is gone."""

    @property
    def not_undone(self) -> list[Finding]:
        """Return the findings about a downgrade that does not restore the schema."""
        found = self.planned.findings if self.planned else []
        return [one for one in found if one.id == h12_downgrade.ID and one.severity != NOTE]
