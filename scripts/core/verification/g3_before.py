"""The start: the schema's fingerprint, and the rows and the content hash of every table."""

from scripts.core import postgres, rows, schema, weights
from scripts.core.reports.words import counted
from scripts.core.verification.case import Case, Outcome

ID, NAME, NEEDS = "before", "before", ("pristine",)


def check(case: Case) -> Outcome:
    """Reads what later gates compare with."""
    assert case.pristine
    case.weights = weights.of(case.pristine, case.server.server)
    with postgres.connect(case.pristine) as connection:
        case.schema = schema.read(connection)
        rows.pin(connection)
        case.rows = rows.read(connection)
    read = sum(table.bytes for table in case.rows.values())
    tables = counted(len(case.rows), "table")
    return Outcome(f"fingerprint {case.schema.fingerprint[:12]}; {tables} hashed, {read / 1e6:,.1f} MB in full")
