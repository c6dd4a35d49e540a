"""Functions whose text names what is gone. PostgreSQL keeps such a text as it is, and fails when it runs."""

import re
from collections.abc import Sequence

from sqlalchemy import text

from scripts.core.models import comparable
from scripts.core.plan import shadow
from scripts.core.postgres import connections
from scripts.core.postgres.scratch import Scratch
from scripts.core.postgres.user_tables import FIRST_OID
from scripts.core.revisions import history
from scripts.core.revisions.history import History

# What begins with BEGIN ATOMIC is parsed: PostgreSQL follows a new name there, and refuses a drop.
_TEXTS = text(f"""SELECT p.oid::regprocedure::text, prosrc FROM pg_proc p JOIN pg_language l ON l.oid = prolang
    WHERE lanname IN ('sql', 'plpgsql') AND prosqlbody IS NULL AND p.oid >= {FIRST_OID}
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
    ORDER BY 1""")


def naming(server: Scratch, revisions: History, gone: Sequence[str]) -> list[str]:
    """Return a line for each function that names one of these tables, or one of these columns and its table."""
    if not gone:
        return []
    start = shadow.build(server, revisions, [history.head(revisions)], partial=True)
    with connections.connect(start) as connection:
        functions = connection.execute(_TEXTS).tuples().all()
    return [
        f"{function} names {name} in its text, which PostgreSQL does not change. Correct it in this revision."
        for name in gone
        for function, body in functions
        if all(_is_word(part, body) for part in comparable.parts(name)[-2:])
    ]


def _is_word(name: str, body: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", body, re.IGNORECASE))
