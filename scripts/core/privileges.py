"""What the application's role may do in a database: read and write rows, in today's tables and in those to come.

A migration need not know that role. New tables become the application's by the owner's default privileges, and the
tables that only migrations write are taken back from whoever got them so.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

# What is ours to give. What others own is theirs, such as the tables of an extension.
_OURS = "nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_has_role({owner}, 'USAGE') ORDER BY 1"
_SCHEMAS = text("SELECT quote_ident(nspname) FROM pg_namespace WHERE " + _OURS.format(owner="nspowner"))
_RELATIONS = text(
    "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE relkind = ANY(:kinds) AND c.oid IS DISTINCT FROM to_regclass('alembic_version')"
    " AND c.oid IS DISTINCT FROM to_regclass('migration_log')"
    " AND c.oid IS DISTINCT FROM to_regclass('migration_log_id_seq') AND " + _OURS.format(owner="relowner")
)
_TABLES, _SEQUENCES = ["r", "p", "v", "m", "f"], ["S"]
_GIVEN = text(
    "SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee,"
    " string_agg(DISTINCT privilege_type, ', ') AS privileges FROM pg_class, aclexplode(relacl)"
    " WHERE oid = to_regclass(:table) AND grantee <> relowner AND privilege_type <> :kept GROUP BY 1"
)


def ensure(connection: Connection, name: str) -> None:
    """Give the role of the application what it needs in the connected database, as the owner, and commit."""
    for statement in _statements(connection, connection.dialect.identifier_preparer.quote(name)):
        connection.exec_driver_sql(statement.replace("%", "%%"))
    connection.commit()


def close(connection: Connection, table: str, kept: str = "") -> None:
    """Take every privilege on a table but the one that is `kept` from everybody except its owner."""
    for grantee, privileges in connection.execute(_GIVEN, {"table": table, "kept": kept}).all():
        connection.exec_driver_sql(f"REVOKE {privileges} ON {table} FROM {grantee}".replace("%", "%%"))


def _statements(connection: Connection, role: str) -> Iterator[str]:
    database = connection.dialect.identifier_preparer.quote(str(connection.engine.url.database))
    yield f"GRANT CONNECT ON DATABASE {database} TO {role}"
    yield f"REVOKE CREATE ON DATABASE {database} FROM PUBLIC, {role}"
    for schema in connection.scalars(_SCHEMAS).all():
        yield f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}"
        yield f"GRANT USAGE ON SCHEMA {schema} TO {role}"
    if tables := connection.scalars(_RELATIONS, {"kinds": _TABLES}).all():
        yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(tables)} TO {role}"
    if sequences := connection.scalars(_RELATIONS, {"kinds": _SEQUENCES}).all():
        yield f"GRANT USAGE ON SEQUENCE {', '.join(sequences)} TO {role}"
    # For what the owner makes later, in any schema.
    yield f"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
    yield f"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO {role}"
    yield f"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {role}"
    # The health check reads the version. Only migrations write it, or read the log.
    for table in ("alembic_version", "migration_log", "migration_log_id_seq"):
        if connection.scalar(text("SELECT to_regclass(:table)"), {"table": table}):
            yield f"REVOKE ALL ON {table} FROM {role}"
            if table == "alembic_version":
                yield f"GRANT SELECT ON {table} TO {role}"
