"""Models against histories that make revision did not write: only what really differs is reported."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, MetaData
from sqlalchemy.dialects import postgresql

from scripts.core.models import wording
from scripts.core.postgres import sql
from scripts.core.postgres.sql import spelled
from tests.core.models.conftest import Compare
from tests.core.models.spelled_models import Spelled

CONVENTION = {"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s", "ix": "ix_%(column_0_label)s"}
EVERY = [range(12), *(pytest.param(range(n, n + 50), marks=pytest.mark.faults) for n in range(12, 212, 50))]
SCHEMAS = ["CREATE SCHEMA tenant", 'CREATE SCHEMA "Other Schema"']


def but_for_names(notes: list[str]) -> list[str]:
    return [note for note in notes if not note.startswith("Only a name differs")]


@pytest.mark.parametrize("seeds", EVERY)
def test_sql_in_other_words_makes_no_difference(compared: Compare, seeds: range) -> None:
    metadata = MetaData()
    statements = [one for seed in seeds for one in Spelled(seed, metadata).statements]

    found = compared(MetaData(), metadata, *SCHEMAS, *statements)

    assert found.lines == []
    assert but_for_names(found.notes) == []


def written_by_alembic(metadata: MetaData) -> Callable[[Connection], None]:
    """Run what plain Alembic writes for an empty database."""

    def run(connection: Connection) -> None:
        for statement in SCHEMAS:
            sql.run(connection, spelled(statement))
        options = {"target_metadata": metadata, "include_schemas": True}
        context = MigrationContext.configure(connection, opts=options)
        found = produce_migrations(context, metadata).upgrade_ops
        assert found
        code = render_python_code(found, migration_context=context)
        with Operations.context(context) as op:
            # The elder Alembics write the type of a domain without a module.
            names = {**vars(sa), "op": op, "sa": sa, "postgresql": postgresql}
            exec("if True:\n" + "".join(f"    {line}\n" for line in code.splitlines()), names)

    return run


def is_missed_by_alembic(line: str) -> bool:
    """Alembic writes no CHECK of a column and no sequence, and doubles % in a CHECK. An older one writes no domain."""
    if line.startswith("domain ") and not hasattr(PostgresqlImpl, "_render_DOMAIN_type"):
        return True
    return "%%" in line or line.endswith(('_check" is missing', "_check is missing")) or line.startswith("sequence ")


@pytest.mark.parametrize("seeds", EVERY)
@pytest.mark.parametrize("convention", [None, CONVENTION])
def test_of_what_plain_alembic_wrote_only_its_omissions_are_differences(
    compared: Compare, seeds: range, convention: dict[str, str] | None
) -> None:
    metadata = MetaData(naming_convention=convention)
    for seed in seeds:
        Spelled(seed, metadata)

    found = compared(written_by_alembic(metadata), metadata)

    assert [line for line in found.lines if not is_missed_by_alembic(line)] == []
    assert but_for_names(found.notes) == []


DEFAULTS: list[tuple[Any, Any, str, str]] = [
    (sa.DateTime, sa.text("LOCALTIMESTAMP"), "timestamp", "now()"),
    (sa.DateTime, sa.text("timezone('utc', now())"), "timestamp", "(CURRENT_TIMESTAMP AT TIME ZONE 'utc')"),
    (sa.DateTime(True), sa.text("CURRENT_TIMESTAMP + interval '1 day'"), "timestamptz", "now() + '1 day'::interval"),
    (sa.Date, sa.func.now(), "date", "LOCALTIMESTAMP"),
    (sa.ARRAY(sa.Integer), "{}", "int[]", "ARRAY[]::integer[]"),
    (sa.LargeBinary, "\\xff", "bytea", "decode('ff', 'hex')"),
    (sa.Integer, "7", "int", "3 + 4"),
    (sa.String(3), "abc", "varchar(3)", "lower('ABC')"),
]
OTHERS: list[tuple[Any, Any, str, str]] = [
    (sa.DateTime, sa.func.now(), "timestamp", "clock_timestamp()"),
    (sa.DateTime, sa.func.now(), "timestamp", "(now() AT TIME ZONE 'utc')"),
    (sa.Integer, "7", "int", "8"),
    (sa.String(9), "abc", "varchar(9)", "'abcd'"),
    (sa.Text, "CURRENT_TIMESTAMP", "text", "'now()'"),
    (sa.Text, "it's transaction_timestamp()", "text", "'it''s now()'"),
    (sa.Text, "abcdef", "text", "'abcdef'::varchar(3)"),
    (sa.Text, sa.func.now(), "text", "LOCALTIMESTAMP"),
    (sa.ARRAY(sa.Integer), "{}", "int[]", "ARRAY[1]"),
    (sa.Uuid, sa.text("gen_random_uuid()"), "uuid", "'00000000-0000-0000-0000-000000000000'"),
]


def test_a_default_is_compared_by_its_value(compared: Compare) -> None:
    """The type of the column has a difference of its own. Its default has none."""
    metadata = MetaData()
    pairs = [*DEFAULTS, *OTHERS, (sa.BigInteger, "1", "int", "1")]
    sa.Table("t", metadata, *(sa.Column(f"c{n:02}", one[0], server_default=one[1]) for n, one in enumerate(pairs)))
    columns = ", ".join(f"c{n:02} {one[2]} DEFAULT {one[3]}" for n, one in enumerate(pairs))

    found = compared(MetaData(), metadata, f"CREATE TABLE t ({columns})")

    others = [f"table t, column c{n:02}, default" for n in range(len(DEFAULTS), len(pairs) - 1)]
    assert [one.name for one in found.differences] == [*others, f"table t, column c{len(pairs) - 1}"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CHECK ((a AND (b AND c)))", "CHECK ((a AND b AND c))"),
        ("CHECK ((a OR (b OR (c AND (d AND e)))))", "CHECK ((a OR b OR (c AND d AND e)))"),
        ("('a'::text)::character varying", "'a'"),
        ("f('a'::text)", "f('a')"),
        ("('it''s a'::text)::bpchar", "'it''s a'"),
    ],
)
def test_these_words_mean_the_same(one: str, other: str) -> None:
    assert wording.plain(one) == wording.plain(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CHECK ((a AND (b OR c)))", "CHECK ((a AND b OR c))"),
        ("CHECK ((a OR (b AND c)))", "CHECK (((a OR b) AND c))"),
        ("CHECK ((a = 'x AND (y AND z)'))", "CHECK ((a = 'x AND y AND z'))"),
        ("f('a'::text[])", "f('a')"),
        ("('a')", "'(a)'"),
        ("('abcdef'::character varying(3))::text", "'abcdef'"),
        ("f('abcdef'::character varying(3)[])", "f('abcdef'::character varying[])"),
        ("'a '::bpchar", "'a '"),
        ("'use ''a''::text'", "'use ''a'''"),
        ("f(\"x'a'::text\")", "f(\"x'a'\")"),
    ],
)
def test_these_words_differ(one: str, other: str) -> None:
    assert wording.plain(one) != wording.plain(other)
