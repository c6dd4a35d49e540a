"""Give the application a role that reads and writes rows, and cannot drop a table.

    make roles           can be repeated; it also sets the passwords of .env

A new server has this role from the start. Use this for an older server, and after you change a password.
"""

import sys
from collections.abc import Sequence

from scripts.core import settings
from scripts.core.cli import console, entry_point
from scripts.core.errors import DatabaseMissingError, UserError
from scripts.core.postgres import connections, declared_extensions, privileges, roles, sql
from scripts.core.postgres.roles import Application, Owner
from scripts.core.settings import Settings

ADD = "printf 'APP_DB_USER=app_rw\\nAPP_DB_PASSWORD=%s\\n' $(od -An -N20 -tx1 /dev/urandom | tr -d ' \\n') >>.env"


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "scripts.roles").parse_args(argv)

    target = settings.load()
    name = roles.application(target)
    if name is None:
        raise no_role_of_its_own(target)
    roles.ensure(target)
    try:
        with connections.connect(target) as connection:
            privileges.ensure(connection, name)
            owner, application = roles.owner(connection), roles.look(connection, name)
    except DatabaseMissingError:
        roles.require_login(target, "postgres")
        console.done(f"The server has the role {name}. It gets its privileges with the database: make migrate")
        return 0
    for extension in declared_extensions.ensure(target):
        console.done(f"Created the extension {extension}.")
    if application.dangers:
        raise still_dangerous(owner, application)
    roles.require_login(target, target.database_url.database)
    console.done(f"The application is {application}. Migrations run as {owner}.")
    if owner.superuser:
        console.warn(f"{owner.name} is still a superuser. {cure(owner)}")
    return 0


def no_role_of_its_own(target: Settings) -> UserError:
    user = target.database_url.username
    if target.external:
        return UserError(
            f"The application has no role of its own: {user} also migrates.",
            do="set MIGRATION_DATABASE_URL to the present DATABASE_URL, and name another role and its password in"
            " DATABASE_URL; then run this again",
        )
    return UserError(
        f"The application has no role of its own: {user} also migrates.",
        why="APP_DB_USER and APP_DB_PASSWORD are not set.",
        do=f"{ADD}; then run this again",
    )


def still_dangerous(owner: Owner, application: Application) -> UserError:
    return UserError(
        f"The application could still drop tables: {application.name} {', '.join(application.dangers)}.",
        do=f"make psql, there: REASSIGN OWNED BY {sql.typed(application.name)} TO {sql.typed(owner.name)};"
        " or have an administrator revoke"
        " what was granted; then run this again",
        state="the role has its privileges.",
    )


def cure(owner: Owner) -> str:
    if not owner.bootstrap:
        return f"Another superuser can change that: ALTER ROLE {owner.name} NOSUPERUSER"
    return (
        "The server was created with this role, and PostgreSQL does not allow changing it. For another owner, create a"
        " new server and move the data: pg_dump --no-owner --no-privileges, then pg_restore"
    )


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
