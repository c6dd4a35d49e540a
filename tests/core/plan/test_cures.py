"""What the hazards print as the safe way runs, is safe, and ends where the statement would have ended."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.core.plan import constraint_advice, hazards, rehearsal
from scripts.core.plan.findings import Finding
from scripts.core.plan.table_sizes import NOTE
from scripts.core.postgres import connections
from scripts.core.schema import compare
from scripts.core.schema.catalog_snapshot import Relation
from scripts.core.settings import Settings
from tests.core.plan import chains
from tests.core.plan.chains import copy
from tests.core.plan.test_hazards import EXAMPLES, body, examples, shop, versions

__all__ = ["copy", "shop", "versions"]
ODD = EXAMPLES / "odd.sql"
BIG = 'odd."Big ""Order"""'
ADD = "ALTER TABLE odd.pairs ADD"
SAME = {
    "a key": f'{ADD} CONSTRAINT "Fk 1" FOREIGN KEY (a) REFERENCES customers ON DELETE CASCADE'
    " DEFERRABLE INITIALLY DEFERRED",
    "a check": f"ALTER TABLE {BIG} ADD CONSTRAINT c CHECK (\"to:b\" <> 'a :b 100%' AND n > 0) NO INHERIT",
    "a unique constraint": f"{ADD} UNIQUE NULLS NOT DISTINCT (b) INCLUDE (c) WITH (fillfactor=70) DEFERRABLE",
    "a unique column": f'ALTER TABLE {BIG} ADD CONSTRAINT "U" UNIQUE ("From", u)',
    "a primary key": 'ALTER TABLE odd.keyless ADD PRIMARY KEY (k, "M")',
    "NOT NULL": f'ALTER TABLE {BIG} ALTER "From" SET NOT NULL',
    "an index": f'CREATE INDEX "I" ON {BIG} ("to:b" text_pattern_ops DESC, n) INCLUDE (u) WITH (fillfactor=70)',
    "a unique index": f"CREATE UNIQUE INDEX i ON {BIG} (u) NULLS NOT DISTINCT WHERE n > 0",
    "an index of an expression": "CREATE INDEX i ON odd.pairs (lower(c || ' :a'))",
    "an index of an array": f"CREATE INDEX i ON {BIG} USING gin (tags)",
    "an index of partitions": "CREATE INDEX i ON visits (page)",
    "a column with a key": f"{ADD} COLUMN e int DEFAULT 1 REFERENCES customers ON DELETE SET NULL",
    "a column with a check": f"{ADD} COLUMN e int NOT NULL DEFAULT 1 CHECK (e > 0)",
    "a unique column of its own": f"{ADD} COLUMN e varchar(9) UNIQUE",
    "a serial": f"{ADD} COLUMN e serial",
    "a big serial": f'{ADD} COLUMN "E" bigserial',
    "an identity": f"{ADD} COLUMN e int GENERATED ALWAYS AS IDENTITY",
    "a default that differs": f"{ADD} COLUMN e uuid NOT NULL DEFAULT gen_random_uuid()",
    "rows": f"UPDATE {BIG} SET u = 7 WHERE n = 1 OR \"to:b\" = 'text :a 100%' -- where",
    "all rows": f"UPDATE {BIG} SET \"to:b\" = '%where :b' /* where */",
    "rows of another table": f"UPDATE {BIG} AS o SET u = s.v FROM (SELECT 3 AS m, 30 AS v UNION VALUES (4, 40)) s"
    ' WHERE s.m = o."From"',
    "no rows": f"DELETE FROM {BIG} WHERE u > 3 OR u = 1",
    "rows of pairs": "UPDATE odd.pairs SET c = ''",
    "another type": f"ALTER TABLE {BIG} ALTER n TYPE bigint",
    "another type of constraints": "ALTER TABLE odd.pairs ALTER d TYPE bigint",
    "a refresh without rows": "REFRESH MATERIALIZED VIEW odd.counts WITH NO DATA",
    "a refresh without an index": "REFRESH MATERIALIZED VIEW odd.counts",
    "a domain": "ALTER DOMAIN email ADD CONSTRAINT c CHECK (VALUE LIKE '%@%')",
}
"""Statements, each with one finding at most for which code is printed."""
OTHER = {"another type", "another type of constraints", "a domain"}
"""The safe way of these ends in another schema, as it says."""
NO_CODE = {"rows of pairs", "a refresh without rows", "a refresh without an index"}
PARTLY = {EXAMPLES / "H02" / "bad.py"}
"""The code replaces only the second of the statements."""
AFTERWARDS = ("H12", "H13")
"""What these print follows on the revision, and does not replace it."""


def code(instead: str) -> list[str]:
    """The revisions that are printed."""
    lines = "\n".join(instead.splitlines()[1:])
    return [one for one in re.split(r"^# in a later revision\n", lines, flags=re.MULTILINE) if one.strip()]


def printed(found: list[Finding]) -> dict[str, Finding]:
    """The findings with code that replaces the revision, by that code."""
    return {
        one.instead: one
        for one in found
        if one.severity != NOTE and one.id not in AFTERWARDS and "CREATE VIEW" not in one.instead and code(one.instead)
    }


@pytest.mark.faults
def test_the_safe_way_runs_and_is_safe_and_ends_where_the_statement_ends(versions: Path, copy: Settings) -> None:
    cases = {name: [f"op.get_bind().exec_driver_sql({sql.replace('%', '%%')!r})"] for name, sql in SAME.items()}
    bad = {
        path for hazard in hazards.ALL for path in examples(hazard, "bad") if hazard.ID not in ("H14", "H15")
    } - PARTLY
    cases |= {f"{path.parent.name}/{path.stem}": [body(path)] for path in sorted(bad)}
    direct = chains.walk(versions, copy, cases, ODD)
    cures = {
        f"{name}: {number}": finding
        for name, case in direct.items()
        for number, finding in enumerate(printed(case.findings).values())
    }
    assert {name for name in SAME if f"{name}: 0" not in cures} == NO_CODE

    bodies = {name: code(finding.instead) for name, finding in cures.items()}
    big = Relation(0, BIG, 'Big "Order"', "odd", "r", partition=False, file=None)
    shorter = "NOT NULL: since 18"
    cures[shorter], bodies[shorter] = (
        cures["NOT NULL: 0"],
        code("\n" + constraint_advice.not_null_since_18(big, "From")),
    )
    tried = chains.walk(versions, copy, bodies, ODD)

    loud = {
        name: [
            f"{one.id} {one.message}"
            for one in case.findings
            if one.severity != NOTE and not is_announced(one, cures[name])
        ]
        for name, case in tried.items()
    }
    others = {
        one: [str(difference) for difference in compare.between(direct[name].schema, case.schema)]
        for one, case in tried.items()
        if (name := one.rpartition(": ")[0]) in SAME.keys() - OTHER
    }
    found = {name: ones for name, ones in {**loud, **others}.items() if ones}
    assert found == {}, found
    assert {name for name in others if direct[name.rpartition(": ")[0]].rows != tried[name].rows} == set()


def is_announced(found: Finding, advice: Finding) -> bool:
    """Whether the advice says that this is found, or it is what the statement is for: rows are deleted."""
    is_meant = (found.id, advice.id) == ("H07", "H06")
    return is_meant or ("H08 stops that step" in advice.instead and found.id == "H08")


RUN = "op.get_bind().exec_driver_sql({!r})".format
TYPE = RUN('CREATE TYPE odd."Mood: " AS ENUM (\'a\'); CREATE TABLE odd.m (x odd."Mood: ")'), RUN("DROP TABLE odd.m")
KEY = (
    RUN('CREATE TABLE odd."No tes" ("E :1" int, a int, FOREIGN KEY ("E :1", a) REFERENCES odd.pairs)'),
    RUN('DROP TABLE odd."No tes"'),
)
COLUMN = 'op.add_column("orders", sa.Column("note", sa.Text()))', 'op.drop_column("orders", "note")'
WORK = 'connection.execute(sa.text("INSERT INTO odd.keyless VALUES (1, 2)"))'
OPENED = (
    'connection = sa.create_engine(__import__("os").environ["DATABASE_URL"].replace(":", "+psycopg2:", 1)).connect()'
)
ELSEWHERE: dict[str, tuple[list[tuple[str, str]], Callable[[str], list[tuple[str, str]]]]] = {
    "H12": ([TYPE], lambda code: [(TYPE[0], f"{TYPE[1]}\n{code}")]),
    "H13": ([KEY], lambda code: [KEY, (code, RUN('DROP INDEX odd."ix_No tes_E :1_a"'))]),
    "H14": (
        [(f'{COLUMN[0]}\nop.execute("COMMIT")', COLUMN[1])],
        lambda code: [COLUMN, (code.replace("...", 'op.execute("VACUUM orders")'), "pass")],
    ),
    "H15": (
        [(f"{OPENED}\n{WORK}\nconnection.commit()\nconnection.close()", "pass")],
        lambda code: [(f"{code}\n{WORK}", "pass")],
    ),
}
"""Revisions with a finding, and where its code belongs: into the downgrade, after the revision, around others."""


def test_what_belongs_elsewhere_than_the_statement_runs_and_leaves_no_finding(versions: Path, copy: Settings) -> None:
    def run(sql: str) -> None:
        with connections.connect(copy) as connection:
            connection.exec_driver_sql(sql)
            connection.commit()

    def find(bodies: list[tuple[str, str]]) -> dict[str, str]:
        """The code for each hazard, by its id. Each revision is undone again."""
        chains.lay(versions, [(f"r{number}", *body) for number, body in enumerate(bodies)])
        names = [f"r{number}" for number in range(len(bodies))]
        found = chains.findings(rehearsal.up_and_down(copy, names, names[-1]), copy).values()
        return {one.id: "".join(code(one.instead)) for ones in found for one in ones}

    run(f"UPDATE alembic_version SET version_num = 'shop'; {ODD.read_text()}")
    for hazard, (bad, cured) in ELSEWHERE.items():
        printed = find(bad)
        run('DROP TYPE IF EXISTS odd."Mood: "')
        assert printed[hazard], printed
        assert find(cured(printed[hazard])) == {}
