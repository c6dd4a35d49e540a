#!/bin/sh
# Makes or repairs the two roles of this project, inside the database's container. The image runs it at the first start,
# with everything else in /docker-entrypoint-initdb.d; `make roles` runs it later.
# It needs OWNER_USER and POSTGRES_PASSWORD. If the application has its own role, it also needs APP_DB_USER and
# APP_DB_PASSWORD. A password may also come from the file that ..._FILE names.
# No `set` and no `exit`: if the file is not executable, the image reads it into its own shell.

# The socket lets the superuser in without a password. On a server that was made with the owner as its superuser, the
# owner is the only superuser.
make_roles() {
    superuser=postgres
    psql -Xqw -U postgres -d postgres -c "" 2>/dev/null || superuser=$OWNER_USER
    psql -Xqw -U "$superuser" -d postgres -v ON_ERROR_STOP=1 -v VERBOSITY=terse -f - <<'SQL'
-- No failed and no logged statement may show a password.
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
