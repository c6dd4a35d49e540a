"""What the application's role may do in a database: read and write rows, in present and future tables.

A migration need not know that role. The owner's default privileges grant new tables to the application. Tables that
only migrations write are revoked from it.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from scripts.core.postgres import sql
from scripts.core.postgres.own_tables import NUMBERS, VERSION_NUMBER
from scripts.core.postgres.sql import Sql, compose, listed, spelled
from scripts.core.postgres.user_tables import RELATIONS, SCHEMA

# Objects that we may grant. Objects of others, such as the tables of an extension, stay as they are.
_SCHEMAS = text(
    f"SELECT quote_ident(nspname) FROM pg_namespace WHERE {SCHEMA} AND pg_has_role(nspowner, 'USAGE') ORDER BY 1"
)
_RELATIONS = text(
    f"SELECT c.oid::regclass::text FROM {RELATIONS} WHERE c.relkind = ANY(:kinds) AND pg_has_role(relowner, 'USAGE')"
    " ORDER BY 1"
)
_TABLES, _SEQUENCES = ["r", "p", "v", "m", "f"], ["S"]
_OWN = text(
    f"SELECT oid::regclass::text, coalesce(oid = {VERSION_NUMBER}, false)"
    f" FROM unnest({NUMBERS}) WITH ORDINALITY AS own (oid, place) ORDER BY place"
)
_GIVEN = text(
    "SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee,"
    " string_agg(DISTINCT privilege_type, ', ') AS privileges FROM pg_class, aclexplode(relacl)"
    " WHERE oid = to_regclass(:table) AND grantee <> relowner AND privilege_type <> :allowed GROUP BY 1"
)

# Grants of single columns are enough: they are a revision's decision.
_LACKING = text(f"""
    WITH role AS (SELECT oid FROM pg_roles WHERE rolname = :name AND NOT rolsuper)
    SELECT 'connect to the database' FROM role WHERE NOT has_database_privilege(oid, current_database(), 'CONNECT')
    UNION ALL SELECT 'use the schema ' || quote_ident(nspname) FROM role r, pg_namespace n
        WHERE {SCHEMA} AND pg_has_role(nspowner, 'USAGE') AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')
    UNION ALL SELECT privilege || ' on ' || min(relation::text)
            || CASE count(*) WHEN 1 THEN '' ELSE ' and ' || count(*) - 1 || ' more' END FROM role r,
        LATERAL (SELECT c.oid::regclass AS relation, c.oid, privilege
            FROM {RELATIONS}, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege
            WHERE relkind IN ('r', 'p') AND NOT relispartition AND pg_has_role(relowner, 'USAGE')
            UNION ALL SELECT oid::regclass, oid, 'SELECT' FROM pg_class WHERE oid = {VERSION_NUMBER}) found
        WHERE NOT CASE privilege WHEN 'DELETE' THEN has_table_privilege(r.oid, found.oid, privilege)
            ELSE has_any_column_privilege(r.oid, found.oid, privilege) END
        GROUP BY privilege ORDER BY 1
""")


def lacking(connection: Connection, name: str) -> list[str]:
    """Return what the application's role may not do in the connected database, as texts."""
    return [str(one) for one in connection.scalars(_LACKING, {"name": name})]


def ensure(connection: Connection, name: str) -> None:
    """Grant the application's role what it needs in the connected database, as the owner, and commit."""
    for statement in _statements(connection, sql.name(name)):
        sql.run(connection, statement)
    connection.commit()


def close(connection: Connection, table: str, allowed: str = "") -> None:
    """Revoke every privilege on a table, as SQL spells it, but `allowed` from every role except its owner."""
    for grantee, privileges in connection.execute(_GIVEN, {"table": table, "allowed": allowed}).all():
        sql.run(connection, compose("REVOKE {} ON {} FROM {}", spelled(privileges), spelled(table), spelled(grantee)))


def _statements(connection: Connection, role: Sql) -> Iterator[Sql]:
    database = sql.name(str(connection.engine.url.database))
    yield compose("GRANT CONNECT ON DATABASE {} TO {}", database, role)
    yield compose("REVOKE CREATE ON DATABASE {} FROM PUBLIC, {}", database, role)
    for schema in map(spelled, connection.scalars(_SCHEMAS).all()):
        yield compose("REVOKE CREATE ON SCHEMA {} FROM PUBLIC, {}", schema, role)
        yield compose("GRANT USAGE ON SCHEMA {} TO {}", schema, role)
    if tables := connection.scalars(_RELATIONS, {"kinds": _TABLES}).all():
        yield compose("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}", listed(map(spelled, tables)), role)
    if sequences := connection.scalars(_RELATIONS, {"kinds": _SEQUENCES}).all():
        yield compose("GRANT USAGE ON SEQUENCE {} TO {}", listed(map(spelled, sequences)), role)
    # For what the owner creates later, in any schema.
    for given in ("SELECT, INSERT, UPDATE, DELETE ON TABLES", "USAGE ON SEQUENCES", "USAGE ON SCHEMAS"):
        yield compose("ALTER DEFAULT PRIVILEGES GRANT {} TO {}", Sql(given), role)
    # The health check reads the version. Only migrations write it, or read our other tables.
    for table, is_version in connection.execute(_OWN).all():
        yield compose("REVOKE ALL ON {} FROM {}", spelled(table), role)
        if is_version:
            yield compose("GRANT SELECT ON {} TO {}", spelled(table), role)
