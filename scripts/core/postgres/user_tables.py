"""Which tables are the user's: the one definition. Every query that looks for tables is built of these pieces of SQL.

As for pg_dump, a relation is the user's wherever a user can make a schema. Names that begin with pg_ are PostgreSQL's
own: its catalogs, TOAST and every session's temporary tables have them. So has information_schema. The kind of the
relation (pg_class.relkind) is for each query to say.
"""

from scripts.core.postgres.own_tables import NUMBERS

FIRST_OID = 16384
"""FirstNormalObjectId in PostgreSQL's access/transam.h: what initdb has made has a smaller number.

For what has no schema: a lock, a cast, a language. Tables are told by their schema.
"""


def not_reserved(name: str) -> str:
    """Return the condition that a schema, role or tablespace is none of PostgreSQL's own. `name` is its column."""
    return f"{name} !~ '^pg_'"


SCHEMA = f"{not_reserved('nspname')} AND nspname <> 'information_schema'"
"""A condition on pg_namespace."""
TEMPORARY_SCHEMA = "nspname ~ '^pg_(toast_)?temp_'"
"""A condition on pg_namespace, of any session."""

EVERY = f"pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {SCHEMA}"
"""What follows FROM for all relations in the user's schemas, our own tables too."""
RELATIONS = f"{EVERY} AND c.oid <> ALL ({NUMBERS})"
"""What follows FROM for the user's relations. A table of an extension may have rows of the user: it is one of them."""
NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')"
)
"""A condition on `c`. Dumps leave what belongs to an extension to CREATE EXTENSION, so a copy need not be the same."""
