"""Many small cases tried as one chain of revisions. The database is made again after each case."""

import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from scripts.core.plan import plan, rehearsal, table_sizes
from scripts.core.plan.findings import Finding
from scripts.core.plan.rehearsal import Rehearsal
from scripts.core.revisions import history
from scripts.core.schema import fingerprint
from scripts.core.schema.fingerprint import Schema
from scripts.core.settings import Settings
from tests.core.plan.test_hazards import EXAMPLES, lay_shop

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
    DROP SCHEMA IF EXISTS odd CASCADE;
END $$;
"""
ROWS = 'SELECT array_agg(to_jsonb(t) ORDER BY n) FROM odd."Big ""Order""" t'


@pytest.fixture
def copy(
    shop: str, new_database: Callable[..., URL], configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A copy of the shop."""
    copied = replace(configured, database_url=new_database(shop), external=True)
    url = copied.database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    return copied


@dataclass
class Tried:
    findings: list[Finding] = field(default_factory=list)
    schema: Schema = field(default_factory=lambda: Schema({}, {}, {}))
    rows: object = None


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
    return {one.revision: one.findings for one in plan.planned(pending, tried, unknown)}


def walk(versions: Path, copy: Settings, cases: Mapping[str, list[str]], *more: Path) -> dict[str, Tried]:
    """Run each case, which has the body of one or more revisions, on the shop and what the files `more` add to it."""
    again = AGAIN + "".join(path.read_text() for path in (EXAMPLES / "shop.sql", *more))
    names = {f"r{place}_{part}": name for place, name in enumerate(cases) for part in range(len(cases[name]))}
    lay(
        versions, zip(names, (body for bodies in cases.values() for body in bodies), ["pass"] * len(names), strict=True)
    )
    ends = {name: revision for revision, name in names.items()}
    found, tried = {name: Tried() for name in cases}, Rehearsal()
    with rehearsal.observed(copy) as observer:

        def end(step: object) -> None:
            revision = getattr(step, "revision", "")
            if revision in ends.values():
                case = found[names[revision]]
                if more:
                    case.schema = fingerprint.read(observer)
                    case.rows = observer.exec_driver_sql(ROWS).scalar()
                observer.exec_driver_sql(again)

        observer.exec_driver_sql("UPDATE alembic_version SET version_num = 'shop'")
        observer.exec_driver_sql(again)
        rehearsal.upgrade(copy, "heads", end, tried.trace, rehearsal.tracing(observer, tried.trace))
    for revision, ones in findings(tried, copy).items():
        found[names[revision]].findings += ones
    return found
