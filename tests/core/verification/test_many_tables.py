"""A target with 1,000 tables"""

import pytest

from tests.conftest import Project
from tests.core.running import call
from tests.core.verification.reports import document

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

TABLES = 1000
MODELS = f"""
from sqlalchemy import Column, Integer, Table, Text

from app.database import Base

for n in range(1, {TABLES} + 1):
    Table(f"t{{n}}", Base.metadata, Column("id", Integer, primary_key=True), Column("words", Text, index=True))
"""
MAKE = (
    f"DO $$ BEGIN FOR n IN 1..{TABLES} LOOP EXECUTE replace("
    "'CREATE TABLE tn (id serial CONSTRAINT pk_tn PRIMARY KEY, words text); CREATE INDEX ix_tn_words ON tn (words);"
    " INSERT INTO tn (words) SELECT i FROM generate_series(1, 10) i', 'tn', 't' || n); END LOOP; END $$"
)


def test_a_verification_of_a_thousand_tables_ends_well(project: Project) -> None:
    project.write_revision("abcd01", project.version[0], f"op.execute({MAKE!r})")
    with (project.path / "app" / "models" / "__init__.py").open("a") as file:
        file.write(MODELS)
    assert call(project).returncode == 0
    project.write_revision(
        "abcd02",
        "abcd01",
        "[op.execute(f'UPDATE t{n} SET words = words || n FROM generate_series(1, 1) n') for n in range(1, 21)]",
        "[op.execute(f'UPDATE t{n} SET words = left(words, -1)') for n in range(1, 21)]",
    )

    result = call(project, "verify_staging")

    assert result.returncode == 0, result.stdout
    assert len(document(project)["data"]) > TABLES
