"""The state before: the schema's fingerprint, and the number of rows and a content hash of every table."""

from scripts.core.formatting import counted, human
from scripts.core.plan import table_sizes
from scripts.core.postgres import connections
from scripts.core.rows import content_hash
from scripts.core.rows.content_hash import Contents
from scripts.core.schema import fingerprint
from scripts.core.verification.context import Case, Outcome

ID, NAME, NEEDS = "before", "before", ("pristine",)


def check(case: Case) -> Outcome:
    """Read what later gates compare with."""
    assert case.pristine
    limit = case.target.limits.hash_bytes
    case.weights = table_sizes.of(case.pristine, case.server.server)
    with connections.cancellable(case.pristine) as connection:
        case.schema = fingerprint.read(connection)
        content_hash.pin(connection)
        case.rows = {
            number: content_hash.read(connection, table, limit)
            for number, table in content_hash.tables(connection).items()
        }
    large = [_words(one) for one in case.rows.values() if one.rows and one.table.bytes > limit]
    whole = [one for one in case.rows.values() if not one.ranges]
    hashed = f"{counted(len(whole), 'table')} hashed completely, {human(sum(one.table.bytes for one in whole))}"
    if len(whole) < len(case.rows):
        hashed += f"; {len(case.rows) - len(whole)} by ranges of the key"
    return Outcome(f"fingerprint {case.schema.fingerprint[:12]}; {hashed}", large)


def _words(one: Contents) -> str:
    """Return how a table above the limit was hashed."""
    if not one.ranges:
        return f"{one.table.name}: {human(one.table.bytes)} hashed completely, because it has no primary key"
    return (
        f"{one.table.name}: of {counted(one.rows, 'row')}, which are counted, {one.hash[0]:,} are hashed"
        f" in {counted(len(one.ranges.bounds), 'range')} of {', '.join(one.ranges.key)}"
    )
