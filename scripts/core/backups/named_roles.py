"""The roles that a dump of a database names: owners, and roles with grants or user mappings."""

from sqlalchemy import Connection, text

from scripts.core.postgres.user_tables import FIRST_OID, TEMPORARY_SCHEMA, not_reserved

_OWNERS = {
    "pg_class": "relowner",
    "pg_collation": "collowner",
    "pg_conversion": "conowner",
    "pg_default_acl": "defaclrole",
    "pg_event_trigger": "evtowner",
    "pg_foreign_data_wrapper": "fdwowner",
    "pg_foreign_server": "srvowner",
    "pg_language": "lanowner",
    "pg_largeobject_metadata": "lomowner",
    "pg_namespace": "nspowner",
    "pg_opclass": "opcowner",
    "pg_operator": "oprowner",
    "pg_opfamily": "opfowner",
    "pg_proc": "proowner",
    "pg_publication": "pubowner",
    "pg_statistic_ext": "stxowner",
    "pg_ts_config": "cfgowner",
    "pg_ts_dict": "dictowner",
    "pg_type": "typowner",
}
"""Each catalog is read, because pg_shdepend has no entries for the first superuser."""
_OWNED = " UNION ALL ".join(
    f"SELECT tableoid, oid, {owner} FROM {catalog} WHERE oid >= {FIRST_OID}" for catalog, owner in _OWNERS.items()
) + (" UNION ALL SELECT CAST('pg_user_mapping'::regclass AS oid), umid, umuser FROM pg_user_mappings")
# A dump has no temporary tables with their schemas and row types, and no objects of CREATE EXTENSION. It has the grants
# of the latter.
_ROLES = text(f"""
    WITH passing AS (SELECT oid FROM pg_namespace WHERE {TEMPORARY_SCHEMA}),
    temporary (catalog, id) AS (
        SELECT tableoid, oid FROM pg_namespace WHERE oid IN (SELECT oid FROM passing)
        UNION ALL SELECT tableoid, oid FROM pg_class WHERE relnamespace IN (SELECT oid FROM passing)
        UNION ALL SELECT tableoid, oid FROM pg_proc WHERE pronamespace IN (SELECT oid FROM passing)
        UNION ALL SELECT tableoid, oid FROM pg_type WHERE typnamespace IN (SELECT oid FROM passing)
    ), owned (catalog, id, role) AS ({_OWNED}), granted AS (
        SELECT classid AS catalog, objid AS id, refobjid AS role FROM pg_shdepend WHERE deptype NOT IN ('o', 'i')
        AND refclassid = 'pg_authid'::regclass
        AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ), named AS (
        SELECT * FROM granted
        UNION ALL SELECT * FROM owned
        WHERE NOT EXISTS (SELECT FROM pg_depend WHERE (classid, objid, deptype) = (owned.catalog, owned.id, 'e'))
    )
    SELECT rolname FROM pg_roles WHERE {not_reserved("rolname")} AND oid IN (SELECT role FROM named
    WHERE NOT EXISTS (SELECT FROM temporary t WHERE (t.catalog, t.id) = (named.catalog, named.id))) ORDER BY 1
""")


def read(connection: Connection) -> list[str]:
    """Return the roles that a dump of the connected database names, without PostgreSQL's own."""
    return list(connection.scalars(_ROLES))
