"""The start: the schema's fingerprint, and the rows and the content hash of every table."""

from scripts.core import postgres, rows, schema, settings, weights
from scripts.core.reports.words import counted, human
from scripts.core.rows import Contents
from scripts.core.verification.case import Case, Outcome

ID, NAME, NEEDS = "before", "before", ("pristine",)


def check(case: Case) -> Outcome:
    """Reads what later gates compare with."""
    assert case.pristine
    limit = settings.limits().hash_bytes
    case.weights = weights.of(case.pristine, case.server.server)
    with postgres.patient(case.pristine) as connection:
        case.schema = schema.read(connection)
        rows.pin(connection)
        case.rows = {number: rows.read(connection, table, limit) for number, table in rows.tables(connection).items()}
    large = [_words(one) for one in case.rows.values() if one.rows and one.table.bytes > limit]
    whole = [one for one in case.rows.values() if not one.ranges]
    hashed = f"{counted(len(whole), 'table')} hashed in full, {human(sum(one.table.bytes for one in whole))}"
    if len(whole) < len(case.rows):
        hashed += f"; {len(case.rows) - len(whole)} by ranges of the key"
    return Outcome(f"fingerprint {case.schema.fingerprint[:12]}; {hashed}", large)


def _words(one: Contents) -> str:
    """How a table above the limit was hashed."""
    if not one.ranges:
        return f"{one.table.name}: {human(one.table.bytes)} hashed in full, because it has no primary key to choose by"
    return (
        f"{one.table.name}: of {counted(one.rows, 'row')}, which are counted, {one.hash[0]:,} are hashed"
        f" in {counted(len(one.ranges.bounds), 'range')} of {', '.join(one.ranges.key)}"
    )
