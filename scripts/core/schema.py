"""What a database's schema is, read from the catalogs, and its fingerprint."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scripts.core import migration_log, postgres
from scripts.core.catalogs import objects, relations
from scripts.core.catalogs.kind import RELATION, SPACE, Kind
from scripts.core.errors import UserError

PATIENCE = "2s"
"""The longest that reading waits for a lock."""

# Everything that changes how PostgreSQL prints names and constants; and no compiling of a query that runs once.
_PINNED = {
    "search_path": "",
    "quote_all_identifiers": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    "xmloption": "content",
    "jit": "off",
    "lock_timeout": PATIENCE,
}
# Owners are told as seen by the migrations: the role that runs them is called otherwise on every server.
_QUERY = """WITH {space}, {relation}, migrator AS (
    SELECT coalesce((SELECT min(relowner) FROM relation WHERE relname = 'alembic_version'), datdba) AS role
    FROM pg_database WHERE datname = current_database()
), left_out AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
    UNION ALL SELECT tableoid, oid FROM relation WHERE relname IN ('alembic_version', '{log}')
), object AS MATERIALIZED (
    SELECT * FROM ({kinds}) every
    WHERE NOT EXISTS (SELECT FROM left_out WHERE (classid, objid) = (every.catalog, every.id))
    AND NOT EXISTS (SELECT FROM left_out WHERE (classid, objid) = (every.parent_catalog, every.parent))
)
SELECT 'object', name, definition FROM object WHERE definition IS NOT NULL
UNION ALL SELECT 'object', name || ', comment', description FROM object JOIN pg_description
    ON (classoid, objoid, objsubid) = (catalog, id, part) AND catalog <> 'pg_extension'::regclass
UNION ALL SELECT 'access', name || ', owner', CASE owner WHEN role THEN 'the role that migrates'
    ELSE owner::regrole::text END FROM object, migrator WHERE owner IS NOT NULL
UNION ALL SELECT 'access', format('%s, grant of %s to %s', name, privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC'
    WHEN owner THEN 'its owner' ELSE grantee::regrole::text END),
    CASE WHEN bool_or(is_grantable) THEN 'WITH GRANT OPTION' ELSE 'WITHOUT GRANT OPTION' END
    FROM object, LATERAL (SELECT grantee, privilege_type, is_grantable FROM aclexplode(acl)
    EXCEPT SELECT grantee, privilege_type, is_grantable FROM aclexplode(usual_acl)) GROUP BY name, owner, grantee,
    privilege_type
UNION ALL SELECT 'access', format('%s, revocation of %s from %s', name, privilege_type, CASE grantee WHEN 0
    THEN 'PUBLIC' WHEN owner THEN 'its owner' ELSE grantee::regrole::text END), 'REVOKED'
    FROM object, LATERAL (SELECT grantee, privilege_type FROM aclexplode(usual_acl)
    EXCEPT SELECT grantee, privilege_type FROM aclexplode(acl)) WHERE acl IS NOT NULL
UNION ALL SELECT 'order', relation.name, json_agg(quote_ident(attname) ORDER BY attnum)::text
    FROM object JOIN relation ON (tableoid, oid) = (catalog, id) JOIN pg_attribute ON attrelid = oid
    WHERE part = 0 AND relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped GROUP BY relation.name"""


@dataclass(frozen=True)
class Schema:
    """All by readable names, such as "table users, column email"; names of the schema public stand alone."""

    objects: dict[str, str]
    """The definition of each object, and its comment."""
    access: dict[str, str]
    """Owners, grants and default privileges."""
    order: dict[str, list[str]]
    """The columns of each table."""

    @property
    def fingerprint(self) -> str:
        """The same for equal schemas, whatever the order of making and of a table's columns; 64 hexadecimal digits.

        Owners and grants count, as they do in pg_dump's text. What was restored without them is compared by
        `structure.fingerprint`.
        """
        text = json.dumps([sorted(self.objects.items()), sorted(self.access.items())])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def structure(self) -> "Schema":
        """The schema without owners and grants, which a copy on another server cannot have: its roles are others."""
        return replace(self, access={})


def read(connection: Connection) -> Schema:
    """The schema of the connected database, but for alembic_version, migration_log and what belongs to extensions.

    Settings of the session stay as they were, and a transaction that was open goes on. Raises UserError when somebody
    locks a table, or changes one just now: PostgreSQL opens the table to print an expression that names columns of it
    (checks, indexes, generated columns, views, triggers ...), so a lock ACCESS EXCLUSIVE is waited for, two seconds.
    Tables without such expressions are read whoever locks them.
    """
    found: dict[str, dict[str, str]] = {"object": {}, "access": {}, "order": {}}
    try:
        with postgres.set_for_a_while(connection, _PINNED):
            for kind, name, definition in connection.exec_driver_sql(_query()):
                found[kind][name] = definition
    except DBAPIError as error:
        raise UserError(
            f"The schema cannot be read: {postgres.first_line(error)}",
            why=f"Another session changes it; a lock is waited for {PATIENCE} at most.",
            do="wait for the migration or VACUUM FULL that locks a table (make psql; SELECT * FROM pg_stat_activity)",
        ) from error
    order = {name: json.loads(columns) for name, columns in found["order"].items()}
    return Schema(found["object"], found["access"], order)


@cache
def _query() -> str:
    kinds = " UNION ALL ".join(_select(kind) for kind in relations.KINDS + objects.KINDS)
    query = _QUERY.format(space=SPACE, relation=RELATION, log=migration_log.TABLE, kinds=kinds)
    return query.replace("%", "%%")


def _select(kind: Kind) -> str:
    return (
        f"(SELECT {kind.name} AS name, {kind.definition} AS definition, o.tableoid AS catalog, o.oid AS id,"
        f" {kind.column} AS part, CAST({kind.parent} AS oid) AS parent,"
        f" CAST('{kind.parent_catalog}'::regclass AS oid) AS parent_catalog,"
        f" CAST({kind.owner} AS oid) AS owner, CAST({kind.acl} AS aclitem[]) AS acl,"
        f" CAST({kind.usual_acl} AS aclitem[]) AS usual_acl FROM {kind.source})"
    )
