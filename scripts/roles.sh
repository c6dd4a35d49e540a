#!/bin/sh
# Makes or mends the two roles of this project, inside the container of the database: at its first start, which runs
# everything in /docker-entrypoint-initdb.d, and for `make roles`. Needs OWNER_USER and POSTGRES_PASSWORD, and where the
# application has a role of its own APP_DB_USER and APP_DB_PASSWORD; or ..._FILE.
# No `set` and no `exit`: the image reads it into its own shell where the file is not executable.

# The superuser is let in without a password, but only by the socket. A server that was made with the owner as its
# superuser has no other.
make_roles() {
    superuser=postgres
    psql -Xqw -U postgres -d postgres -c "" 2>/dev/null || superuser=$OWNER_USER
    psql -Xqw -U "$superuser" -d postgres -v ON_ERROR_STOP=1 -v VERBOSITY=terse -f - <<'SQL'
-- Neither a statement that fails nor one that is logged shall show a password.
SET client_min_messages = error;
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
BEGIN;
\getenv owner OWNER_USER
\set application ''
\getenv application APP_DB_USER
SELECT set_config('roles.owner', :'owner', false), set_config('roles.application', :'application', false) \g /dev/null
\set due `cat /etc/postgresql-roles.sql`
:due \gexec

\set password `printf %s "${POSTGRES_PASSWORD:-$(cat "$POSTGRES_PASSWORD_FILE")}"`
SELECT format('DO %L', 'BEGIN RAISE ''The password of the owner is empty.''; END') WHERE :'password' = '' \gexec
ALTER ROLE :"owner" PASSWORD :'password';
SELECT :'application' <> '' AS has_application, current_user <> :'owner' AS has_superuser \gset
\if :has_application
\set password `printf %s "${APP_DB_PASSWORD:-$(cat "$APP_DB_PASSWORD_FILE")}"`
SELECT format('DO %L', 'BEGIN RAISE ''The password of the application is empty.''; END') WHERE :'password' = '' \gexec
ALTER ROLE :"application" PASSWORD :'password';
\endif
\if :has_superuser
ALTER ROLE CURRENT_USER PASSWORD NULL;
\endif
COMMIT;
SQL
}

make_roles
