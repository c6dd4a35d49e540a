"""Properties of a database that a dump lacks if it is restored under another name: owner, comment, settings, grants."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scripts.core import messages
from scripts.core.postgres import connections, environments, sql
from scripts.core.postgres.sql import Sql, compose, listed

PRIVILEGES = ("CREATE", "CONNECT", "TEMPORARY")
"""The privileges on a database; see "GRANT" in PostgreSQL's documentation."""

_OWN = text(
    "SELECT pg_get_userbyid(datdba) AS owner, coalesce(shobj_description(oid, 'pg_database'), '') AS comment,"
    " datacl IS NOT NULL AS granted FROM pg_database WHERE datname = current_database()"
)
_SETTINGS = text(
    "SELECT coalesce(r.rolname, '') AS role, split_part(setting, '=', 1) AS name,"
    " substr(setting, strpos(setting, '=') + 1) AS value"
    " FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS setting LEFT JOIN pg_roles r ON r.oid = s.setrole"
    " WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1, 2"
)
_GRANTS = text(
    "SELECT coalesce(r.rolname, 'public') AS role, privilege_type AS privilege, is_grantable AS grantable"
    " FROM pg_database d CROSS JOIN aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee"
    " WHERE d.datname = current_database() ORDER BY 1, 2"
)


@dataclass(frozen=True)
class Properties:
    owner: str
    comment: str
    settings: list[dict[str, str]]
    """ALTER DATABASE ... SET: role (empty for all roles), name, value."""
    grants: list[dict[str, Any]] | None
    """role, privilege, grantable; None if PostgreSQL's default grants are unchanged."""


def read(connection: Connection) -> Properties:
    """Return the properties of the connected database."""
    own = connection.execute(_OWN).one()
    return Properties(
        owner=own.owner,
        comment=own.comment,
        settings=[dict(row) for row in connection.execute(_SETTINGS).mappings()],
        grants=[dict(row) for row in connection.execute(_GRANTS).mappings()] if own.granted else None,
    )


def apply(connection: Connection, database: str, properties: Properties) -> None:
    """Apply the properties to a database, except the environment. `connection` is in autocommit, to another database.

    Report and leave out what the role may not set, and what names a missing role. The rows are already restored.
    """
    name, owner = sql.name(database), sql.name(properties.owner)
    # The owner comes first, because the owner's own rights are among the grants.
    is_owned = _try(connection, compose("ALTER DATABASE {} OWNER TO {}", name, owner))
    environments.set_comment(connection, database, properties.comment)
    for setting in properties.settings:
        of_role = compose("ROLE {} IN", sql.name(setting["role"])) if setting["role"] else Sql()
        given = compose("ALTER {} DATABASE {} SET {} FROM CURRENT", of_role, name, sql.name(setting["name"]))
        _try(connection, given, setting)
    if properties.grants is not None:
        holders = listed([Sql("PUBLIC"), *([owner] if is_owned else [])])
        _try(connection, compose("REVOKE ALL ON DATABASE {} FROM {}", name, holders))
    for grant in properties.grants or []:
        option = Sql("WITH GRANT OPTION" if grant["grantable"] else "")
        # A manifest is a file, so its contents cannot be trusted.
        privilege = Sql(grant["privilege"]) if grant["privilege"] in PRIVILEGES else sql.name(grant["privilege"])
        role = sql.name(grant["role"])
        _try(connection, compose("GRANT {} ON DATABASE {} TO {} {}", privilege, name, role, option))


def _try(connection: Connection, statement: Sql, setting: dict[str, str] | None = None) -> bool:
    """Return whether the statement succeeded.

    It may use a setting of the session as it is, because a list such as search_path has its own quotes.
    """
    try:
        sql.run(connection, Sql("BEGIN"))
        if setting:
            connection.execute(text("SELECT set_config(:name, :value, true)"), setting)
        sql.run(connection, statement)
        sql.run(connection, Sql("COMMIT"))
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        sql.run(connection, Sql("ROLLBACK"))
        messages.send(f"Left out: {statement}: {connections.first_line(error)}")
        return False
    return True
