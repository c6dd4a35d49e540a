"""What belongs to a kind that this version does not know is named, not ignored"""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from scripts.core.postgres import connections
from scripts.core.schema import fingerprint
from scripts.core.schema.catalogs import query, unknown
from scripts.core.settings import Settings
from tests.conftest import Project
from tests.core.schemas import run

OBJECTS = """CREATE TABLE t (a int, b int, EXCLUDE USING btree (a WITH =)); CREATE SEQUENCE s;
    CREATE STATISTICS st ON a, b FROM t; CREATE DOMAIN price AS int; CREATE PROCEDURE clean() LANGUAGE sql AS '';
    CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
    CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_ddl(); ALTER EVENT TRIGGER watch DISABLE;
    CREATE PUBLICATION whole FOR ALL TABLES; CREATE TYPE mood AS ENUM ('sad')"""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """The statement is kept for the next reading, and each object is named once."""
    yield
    query.statement.cache_clear()
    fingerprint._report.cache_clear()


@pytest.fixture
def connection(target: Settings) -> Iterator[Connection]:
    with connections.connect(target) as made:
        run(made, OBJECTS)
        yield made


def test_all_catalogs_of_this_server_are_known(connection: Connection) -> None:
    there = connection.scalars(text("SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace"))

    assert set(unknown.CATALOGS) <= set(there)
    assert connection.scalar(text(f"SELECT {unknown.find()}")) is None
    assert fingerprint.read(connection).unknown == []


def without_catalog(name: str) -> tuple[str, object]:
    return "CATALOGS", tuple(one for one in unknown.CATALOGS if one != name)


def without_letter(place: str, letter: str) -> tuple[str, object]:
    return "LETTERS", {**unknown.LETTERS, place: unknown.LETTERS[place].replace(letter, "")}


@pytest.mark.parametrize(
    ("known", "named"),
    [
        (without_catalog("pg_statistic_ext"), ["statistics object st"]),
        (without_catalog("pg_event_trigger"), ["event trigger watch"]),
        (
            without_catalog("pg_publication"),
            ["rows of pg_publication"],
        ),  # nothing depends on it, and its owner is first
        (without_catalog("pg_enum"), ["rows of pg_enum"]),
        (without_catalog("pg_sequence"), ["rows of pg_sequence"]),
        (without_letter("pg_class.relkind", "S"), ["sequence s"]),
        (without_letter("pg_type.typtype", "d"), ["type price"]),
        (without_letter("pg_proc.prokind", "p"), ["procedure clean()"]),
        (without_letter("pg_constraint.contype", "x"), ["table constraint t_a_excl on public.t"]),
    ],
    ids=str,
)
def test_an_object_of_an_unknown_kind_is_named(
    connection: Connection,
    known: tuple[str, object],
    named: list[str],
    monkeypatch: pytest.MonkeyPatch,
    sent: list[str],
) -> None:
    before = fingerprint.read(connection)
    query.statement.cache_clear()
    monkeypatch.setattr(unknown, *known)

    found = fingerprint.read(connection)
    fingerprint.read(connection)

    assert found.unknown == named
    assert found.fingerprint != before.fingerprint
    assert sent == [
        f"Only the existence of {one} is compared: this version of the scripts does not know such objects."
        for one in named
    ]


def test_whoever_claims_that_schemas_are_equal_names_what_was_not_compared(project: Project) -> None:
    # Commands are forked with the modules of this checkout, so these are started as new processes.
    known = project.own("scripts/core") / "schema" / "catalogs" / "unknown.py"
    known.write_text(known.read_text().replace('"pg_statistic_ext", ', ""))
    make = "CREATE STATISTICS emails ON id, email FROM users"
    project.write_revision(
        "abcd01", project.version[0], f'op.execute("{make}")', 'op.execute("DROP STATISTICS emails")'
    )
    project.write_revision("abcd02", "abcd01")  # a plan reads the schema between two revisions
    said = "Only the existence of statistics object emails is compared"

    plan, verified = project.run("plan"), project.run("verify_staging", "--json")
    project.sql(f"{make}; UPDATE alembic_version SET version_num = 'abcd02'")
    backup, restored = project.run("backup"), project.run("verify_backup")

    for result in (plan, backup, restored):
        assert (result.returncode, (result.stdout + result.stderr).count(said)) == (0, 1), result.stderr
    gates = {one["id"]: one for one in json.loads(verified.stdout)["gates"]}
    for gate in ("drift", "rollback"):
        assert any(line.startswith(said) for line in gates[gate]["details"]), gates[gate]
