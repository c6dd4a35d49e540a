"""One statement that reads a whole schema, so in one snapshot."""

from collections.abc import Iterable
from functools import cache

from scripts.core.postgres.sql import PLACE, Sql, compose
from scripts.core.postgres.user_tables import FIRST_OID
from scripts.core.schema.catalogs import objects, relations, types, unknown
from scripts.core.schema.catalogs.grants import GRANTS
from scripts.core.schema.catalogs.kind import RELATION, SPACE, Kind
from scripts.core.schema.catalogs.unknown import Catalogs

# Owners are compared with the migrating role, which has another name on each server. Of the server's own objects only
# schemas are read; nearly all comments are on the others.
_STATEMENT = """WITH own AS (
    SELECT CAST({} AS oid) AS version, CAST({} AS oid) AS log, CAST({} AS oid) AS source
), {}, {}, migrator AS (
    SELECT coalesce((SELECT relowner FROM pg_class c JOIN own ON oid = version), datdba) AS role
    FROM pg_database WHERE datname = current_database()
), left_out AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
    UNION ALL SELECT tableoid, oid FROM relation, own WHERE oid IN (version, log, source)
), object AS MATERIALIZED (
    SELECT * FROM ({}) every
    WHERE NOT EXISTS (SELECT FROM left_out WHERE (classid, objid) = (every.catalog, every.id))
    AND NOT EXISTS (SELECT FROM left_out WHERE (classid, objid) = (every.parent_catalog, every.parent))
), granted AS MATERIALIZED (
    SELECT name, owner, acl, usual_acl FROM object WHERE acl IS NOT NULL{}
)
SELECT 'object', name, definition FROM object WHERE definition IS NOT NULL
UNION ALL SELECT 'object', name || ', comment', description FROM object JOIN pg_description
    ON (classoid, objoid, objsubid) = (catalog, id, part) AND catalog <> 'pg_extension'::regclass
    AND (objoid >= {} OR classoid = 'pg_namespace'::regclass)
UNION ALL SELECT 'object', name || ', security label of ' || provider, label FROM object JOIN pg_seclabel
    ON (classoid, objoid, objsubid) = (catalog, id, part)
UNION ALL SELECT 'object', name || ', dependency on extension ' || quote_ident(extname), 'DEPENDS ON EXTENSION'
    FROM object JOIN pg_depend ON (classid, objid) = (catalog, id) AND deptype = 'x' AND part = 0
    JOIN pg_extension e ON e.oid = refobjid
UNION ALL SELECT 'access', name || ', owner', CASE owner WHEN role THEN 'the role that migrates'
    ELSE owner::regrole::text END FROM object, migrator WHERE owner IS NOT NULL
    AND catalog <> 'pg_default_acl'::regclass
UNION ALL SELECT 'access', format('%s, grant of %s to %s', name, privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC'
    WHEN owner THEN 'its owner' ELSE grantee::regrole::text END), string_agg(CASE WHEN is_grantable THEN 'WITH'
    ELSE 'WITHOUT' END || ' GRANT OPTION' || CASE grantor WHEN owner THEN '' ELSE ' by ' || grantor::regrole END, ', '
    ORDER BY grantor <> owner, grantor::regrole::text)
    FROM granted, LATERAL (SELECT * FROM aclexplode(acl) EXCEPT SELECT * FROM aclexplode(usual_acl))
    GROUP BY name, owner, grantee, privilege_type
UNION ALL SELECT 'access', format('%s, revocation of %s from %s', name, privilege_type, CASE grantee WHEN 0
    THEN 'PUBLIC' WHEN owner THEN 'its owner' ELSE grantee::regrole::text END), 'REVOKED'
    FROM granted, LATERAL (SELECT grantee, privilege_type FROM aclexplode(usual_acl)
    EXCEPT SELECT grantee, privilege_type FROM aclexplode(acl))
UNION ALL SELECT 'order', relation.name, json_agg(quote_ident(attname) ORDER BY attnum)::text
    FROM object JOIN relation ON (tableoid, oid) = (catalog, id) JOIN pg_attribute ON attrelid = oid
    WHERE part = 0 AND relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped GROUP BY relation.name
UNION ALL SELECT 'number', name, oid::text FROM relation"""


@cache
def statement(catalogs: Catalogs, version: Sql = PLACE, log: Sql = PLACE, source: Sql = PLACE) -> Sql:
    """Return what reads rows of class, name and definition, also from unknown `catalogs`.

    The class is object, access, order, or number for the OID of a relation. The values are the OIDs of the tables that
    are not part of the schema: Alembic's version table, our log, and our table of sources.
    """
    every = [*relations.KINDS, *types.KINDS, *objects.KINDS, *unknown.kinds(catalogs)]
    return _statement((version, log, source), RELATION.format(""), every, f" UNION ALL {GRANTS}")


def part(version: Sql, log: Sql, source: Sql, numbers: Sql) -> Sql:
    """Return what reads the same rows of the relations with these numbers (oid[]) alone."""
    relation = RELATION.format(f" AND c.oid = ANY ({numbers})")
    return _statement((version, log, source), relation, relations.KINDS, "")


def _statement(own: tuple[Sql, Sql, Sql], relation: str, kinds: Iterable[Kind], grants: str) -> Sql:
    every = " UNION ALL ".join(map(_select, kinds))
    return compose(_STATEMENT, *own, Sql(SPACE), Sql(relation), Sql(every), Sql(grants), FIRST_OID)


def _select(kind: Kind) -> str:
    return (
        f"(SELECT {kind.name} AS name, {kind.definition} AS definition, o.tableoid AS catalog, o.oid AS id,"
        f" {kind.column} AS part, CAST({kind.parent} AS oid) AS parent,"
        f" CAST('{kind.parent_catalog}'::regclass AS oid) AS parent_catalog,"
        f" CAST({kind.owner} AS oid) AS owner, CAST({kind.acl} AS aclitem[]) AS acl,"
        f" CAST({kind.usual_acl} AS aclitem[]) AS usual_acl FROM {kind.source})"
    )
