"""Of many small revisions, those with a hazard are found, and the others are left alone."""

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from scripts.core.plan import plan, rehearsal, table_sizes
from scripts.core.plan.findings import Finding
from scripts.core.plan.rehearsal import Rehearsal
from scripts.core.plan.table_sizes import NOTE
from scripts.core.revisions import history
from scripts.core.settings import Settings
from tests.core.plan.test_hazards import EXAMPLES, lay_shop, shop, versions
from tests.hazards.labelled import DOWN, SAFE, UNSAFE

__all__ = ["shop", "versions"]
REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{0}", "{1}"


def upgrade() -> None:
{2}


def downgrade() -> None:
{3}
"""
AGAIN = """
DO $$ BEGIN
    EXECUTE (SELECT 'DROP TABLE ' || string_agg(oid::regclass::text, ', ') || ' CASCADE' FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND relname NOT IN ('alembic_version', 'migration_log'));
    DROP DOMAIN email; DROP TYPE IF EXISTS state, old; DROP FUNCTION IF EXISTS tax(int), tax(int, int);
END $$;
"""


@pytest.fixture
def copy(
    shop: str,
    new_database: Callable[..., URL],
    configured: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """A copy of the shop."""
    copied = replace(configured, database_url=new_database(shop), external=True)
    url = copied.database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    return copied


def lay(folder: Path, bodies: Iterable[tuple[str, str, str]]) -> None:
    """Write revisions on top of each other. Each has a name, and the bodies of its two functions."""
    lay_shop(folder)
    before = "shop"
    for name, up, down in bodies:
        text = REVISION.format(name, before, textwrap.indent(up, "    "), textwrap.indent(down, "    "))
        (folder / f"{name}.py").write_text(text)
        before = name


def findings(tried: Rehearsal, settings: Settings) -> dict[str, list[Finding]]:
    assert not tried.failure, tried.failure
    unknown = table_sizes.unknown(settings.limits)
    pending = history.pending(history.load(), ("shop",), "head")
    return {script.revision: plan.planned(script, tried, unknown).findings for script in pending}


def test_what_is_unsafe_is_found_and_what_is_safe_is_left_alone(versions: Path, copy: Settings) -> None:
    cases = [("safe", name, body) for name, body in SAFE.items()]
    cases += [("unsafe", name, body) for name, (_, body) in UNSAFE.items()]
    names = {
        f"r{place}_{part}": case for place, case in enumerate(cases) for part in range(len(case[2].split("\n---\n")))
    }
    bodies = [part for _, _, body in cases for part in body.split("\n---\n")]
    lay(versions, ((name, body, "pass") for name, body in zip(names, bodies, strict=True)))
    ends = {f"r{place}_{case[2].count(chr(10) + '---' + chr(10))}" for place, case in enumerate(cases)}
    tried = Rehearsal()
    with rehearsal.observed(copy) as observer:

        def again(step: object) -> None:
            if getattr(step, "revision", None) in ends:
                observer.exec_driver_sql(AGAIN + (EXAMPLES / "shop.sql").read_text())

        rehearsal.upgrade(copy, "heads", again, tried.trace, rehearsal.tracing(observer, tried.trace))
    found: dict[tuple[str, str], list[Finding]] = {(kind, name): [] for kind, name, _ in cases}
    for revision, ones in findings(tried, copy).items():
        found[names[revision][:2]] += ones

    loud = {name: [f"{one.id} {one.message}" for one in found["safe", name] if one.severity != NOTE] for name in SAFE}
    ids = {name: {one.id for one in found["unsafe", name] if one.severity != NOTE} for name in UNSAFE}
    wrong = {name: ones for name, ones in loud.items() if ones}
    missed = {name: ids[name] for name, (expected, _) in UNSAFE.items() if expected not in ids[name]}
    assert (wrong, missed) == ({}, {})


def test_each_downgrade_answers_for_its_own_upgrade(versions: Path, copy: Settings) -> None:
    names = {f"d{place}": name for place, name in enumerate(DOWN)}
    lay(versions, ((revision, *DOWN[name][1:]) for revision, name in names.items()))

    found = findings(rehearsal.up_and_down(copy, list(names), "heads"), copy)

    severities = {names[one]: "".join(f.severity for f in found[one] if f.id == "H12") for one in names}
    assert severities == {name: severity for name, (severity, _, _) in DOWN.items()}
