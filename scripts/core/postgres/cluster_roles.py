"""SQL that creates the owner's role and the application's role. A superuser runs it in single-user mode."""

from sqlalchemy.engine import URL

from scripts.core import ROOT
from scripts.core.postgres.sql import Sql, compose, name, value

DUE = ROOT / "scripts" / "roles.sql"
"""A query that returns the statements that the roles still need."""


def sql(owner: URL, application: URL) -> str:
    """Return statements that create the two roles, or restore their rights and passwords."""
    due = Sql(DUE.read_text())
    names = (owner.username or "", application.username or "")
    passwords = dict(zip(names, (owner.password, application.password), strict=True))
    return ";\n\n".join(
        [
            compose("SET roles.owner = {}", value(names[0])),
            compose("SET roles.application = {}", value(names[1] if names[1] != names[0] else "")),
            compose("DO $do$ DECLARE line text; BEGIN FOR line IN {} LOOP EXECUTE line; END LOOP; END $do$", due),
            *(
                compose("ALTER ROLE {} PASSWORD {}", name(role), value(str(word)))
                for role, word in passwords.items()
                if word is not None
            ),
            "",
        ]
    )
