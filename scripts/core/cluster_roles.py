"""SQL that makes the owner's role and the application's where their superuser types it, in single-user mode."""

from sqlalchemy.engine import URL

from scripts.core import ROOT

DUE = ROOT / "scripts" / "roles.sql"
"""A query for the statements that the roles still need."""


def sql(owner: URL, application: URL) -> str:
    """Statements that make the two roles, or give them their rights and passwords again."""
    names = (owner.username or "", application.username or "")
    passwords = dict(zip(names, (owner.password, application.password), strict=True))
    return ";\n\n".join(
        [
            f"SET roles.owner = {_literal(names[0])}",
            f"SET roles.application = {_literal(names[1] if names[1] != names[0] else '')}",
            f"DO $do$ DECLARE line text; BEGIN FOR line IN {DUE.read_text()} LOOP EXECUTE line; END LOOP; END $do$",
            *(
                f"ALTER ROLE {_literal(name, chr(34))} PASSWORD {_literal(str(word))}"
                for name, word in passwords.items()
            ),
            "",
        ]
    )


def _literal(value: str, quote: str = "'") -> str:
    return quote + value.replace(quote, quote * 2) + quote
