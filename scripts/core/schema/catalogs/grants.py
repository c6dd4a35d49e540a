"""Grants on objects without a definition in a dump: members of extensions, and PostgreSQL's own objects.

Only the difference from pg_init_privs counts, where CREATE EXTENSION and initdb record their own grants. As in pg_dump,
grants on the schema information_schema are left out.
"""

_OBJECTS = """
    SELECT 'pg_class'::regclass::oid AS catalog, oid AS id, 0 AS part, NULL::name AS attribute, relacl AS acl,
        CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END AS kind, relowner AS owner, relnamespace AS space
        FROM pg_class
    UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum, attname, attacl, 'c', relowner, relnamespace
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attacl IS NOT NULL
    UNION ALL SELECT 'pg_proc'::regclass, oid, 0, NULL, proacl, 'f', proowner, pronamespace FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, oid, 0, NULL, typacl, 'T', typowner, typnamespace FROM pg_type
    UNION ALL SELECT 'pg_namespace'::regclass, oid, 0, NULL, nspacl, 'n', nspowner, oid FROM pg_namespace
    UNION ALL SELECT 'pg_language'::regclass, oid, 0, NULL, lanacl, 'l', lanowner, NULL FROM pg_language
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 0, NULL, fdwacl, 'F', fdwowner, NULL
        FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid, 0, NULL, srvacl, 'S', srvowner, NULL FROM pg_foreign_server"""

GRANTS = f"""
    SELECT coalesce('extension ' || quote_ident(extname) || ', ', '') || named.type || ' '
        || regexp_replace(named.identity, '^public[.]', '')
        || coalesce(', column ' || quote_ident(attribute), ''), owner, acl, coalesce(initprivs, acldefault(kind, owner))
    FROM ({_OBJECTS}) o LEFT JOIN pg_init_privs ON (classoid, objoid, objsubid) = (catalog, id, part)
        LEFT JOIN pg_depend ON deptype = 'e' AND (classid, objid) = (catalog, id)
        LEFT JOIN pg_extension e ON e.oid = refobjid, LATERAL pg_identify_object(catalog, id, 0) named
    WHERE acl IS NOT NULL AND acl IS DISTINCT FROM initprivs
        AND (extname IS NOT NULL OR space = 'pg_catalog'::regnamespace)"""
