"""The only definition of the user's tables. Every query that looks for tables uses these pieces of SQL.

As in pg_dump, a relation belongs to the user if the user can create its schema. Names that begin with pg_ belong to
PostgreSQL: its catalogs, TOAST and the temporary tables of all sessions. information_schema does too. Each query
chooses the kind of the relation (pg_class.relkind).
"""

import re

from scripts.core.postgres.own_tables import NUMBERS

FIRST_OID = 16384
"""FirstNormalObjectId in PostgreSQL's access/transam.h: objects of initdb have smaller numbers.

It is for objects without a schema: locks, casts, languages. Tables are recognised by their schema. Where PostgreSQL has
thousands of its own, such as functions, it lets a query begin with the user's.
"""


def not_reserved(name: str) -> str:
    """Return the condition that a schema, role or tablespace does not belong to PostgreSQL. `name` is its column."""
    return f"{name} !~ '^pg_'"


SCHEMA = f"{not_reserved('nspname')} AND nspname <> 'information_schema'"
"""A condition on pg_namespace."""
CATALOGS = re.compile(r"\b(pg_catalog|information_schema)\.")
"""Finds the names of catalogs in a query, as SQLAlchemy writes them."""
TEMPORARY_SCHEMA = "nspname ~ '^pg_(toast_)?temp_'"
"""A condition on pg_namespace, for the temporary schemas of all sessions."""

EVERY = f"pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {SCHEMA}"
"""The FROM clause for all relations in the user's schemas, including our own tables."""
RELATIONS = f"{EVERY} AND c.oid <> ALL ({NUMBERS})"
"""The FROM clause for the user's relations. It includes tables of extensions, which may have rows of the user."""
NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')"
)
"""A condition on `c`. Dumps leave members of an extension to CREATE EXTENSION, so a copy may differ there."""
