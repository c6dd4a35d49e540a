"""The restore, into a database that every later gate copies. Its rows and schema equal those of the manifest."""

from scripts.core import messages
from scripts.core.backups import verify
from scripts.core.formatting import counted
from scripts.core.postgres import scratch_extensions
from scripts.core.verification.context import Case, Outcome

ID, NAME, NEEDS = "restore", "restore", ("backup",)


def check(case: Case) -> Outcome:
    """Restore the backup on the scratch server."""
    assert case.backup
    details: list[str] = []
    with messages.sent_to(details.append):
        case.pristine = verify.restored(case.server, case.backup)
    scratch_extensions.make_declared(case.server, case.pristine)
    found = case.backup.manifest
    return Outcome(
        f"{counted(len(found.tables), 'table')}, {counted(found.rows, 'row')}, as the manifest says", details
    )
