-- Returns the statements that the two roles of this project still need: one a row, in order. The settings roles.owner and
-- roles.application name the roles. If roles.application is empty, there is no such role. No statement has a password.
WITH named AS (
    SELECT current_setting('roles.owner') AS owner, current_setting('roles.application') AS application
)
SELECT statement
FROM named
LEFT JOIN pg_roles AS o ON o.rolname = owner
LEFT JOIN pg_roles AS a ON a.rolname = application
CROSS JOIN LATERAL (VALUES
    -- The role that runs this is never changed. A server that was made with the owner as its superuser stays so. The
    -- login of a server's own administrator stays as it is.
    (10, o.oid IS NULL, format('CREATE ROLE %I LOGIN CREATEDB', owner)),
    (11, owner <> current_user AND NOT (o.rolcanlogin AND o.rolcreatedb), format('ALTER ROLE %I LOGIN CREATEDB', owner)),
    (12, owner <> current_user AND (o.rolsuper OR o.rolcreaterole OR o.rolreplication),
        format('ALTER ROLE %I NOSUPERUSER NOCREATEROLE NOREPLICATION', owner)),
    -- With it, a migration can name every session that it waits for, autovacuum too.
    (13, owner <> current_user AND (o.rolsuper OR NOT pg_has_role(o.oid, 'pg_read_all_stats', 'USAGE')) IS NOT FALSE,
        format('GRANT pg_read_all_stats TO %I', owner)),
    (20, application <> '' AND a.oid IS NULL, format('CREATE ROLE %I LOGIN', application)),
    (21, NOT a.rolcanlogin OR a.rolsuper OR a.rolcreatedb OR a.rolcreaterole OR a.rolreplication OR a.rolbypassrls,
        format('ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', application)),
    (22, EXISTS (SELECT FROM pg_auth_members WHERE roleid = o.oid AND member = a.oid),
        format('REVOKE %I FROM %I', owner, application)),
    -- With it, the owner can see and end the application's sessions.
    (23, application <> ''
        AND NOT coalesce(pg_has_role(o.oid, a.oid, 'USAGE') AND (NOT o.rolsuper OR owner = current_user), false),
        format('GRANT %I TO %I', application, owner))
) AS step (number, due, statement)
WHERE due
ORDER BY number
