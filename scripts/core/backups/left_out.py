"""Objects that a dump leaves out, or that need something on the server. A backup lists them in a file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sqlalchemy import Connection, text

from scripts.core import durable_files, messages
from scripts.core.postgres.user_tables import EVERY, not_reserved

FILE = "left_out.json"
# pg_dump leaves these to CREATE EXTENSION. Of tables that the extension registers, it dumps the rows.
_OF_EXTENSIONS = text(
    "SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind,"
    " format('%I.%I', n.nspname, c.relname) AS name, quote_ident(e.extname) AS extension FROM pg_depend d"
    " JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass"
    " JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE d.deptype = 'e' AND c.relkind IN ('r', 'p', 'm', 'f') AND c.oid <> ALL(coalesce(e.extconfig, '{}'))"
    " ORDER BY 2"
)
_SUBSCRIPTIONS = text(
    "SELECT quote_ident(subname) FROM pg_subscription"
    " WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1"
)
# Only a superuser, the role itself, and for PUBLIC the owner of the server can read the options: see pg_user_mappings.
_HIDDEN_OPTIONS = text(
    "SELECT CASE umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(usename) END AS role, quote_ident(m.srvname) AS server"
    " FROM pg_user_mappings m JOIN pg_foreign_server s ON s.oid = m.srvid, pg_roles r"
    " WHERE r.rolname = current_user AND NOT r.rolsuper AND umoptions IS NULL"
    " AND NOT (CASE umuser WHEN 0 THEN pg_has_role(srvowner, 'USAGE') ELSE usename = current_user"
    " AND (pg_has_role(srvowner, 'USAGE') OR has_server_privilege(s.oid, 'USAGE')) END) ORDER BY 2, 1"
)
_TABLESPACES = text(
    f"SELECT DISTINCT spcname FROM {EVERY} JOIN pg_tablespace t ON t.oid = c.reltablespace"
    f" WHERE {not_reserved('spcname')} ORDER BY 1"
)
_HAS = text("SELECT spcname FROM pg_tablespace WHERE has_tablespace_privilege(oid, 'CREATE')")


@dataclass(frozen=True)
class LeftOut:
    objects: dict[str, str] = field(default_factory=dict)
    """For each object, why it is left out and what to do."""
    tablespaces: list[str] = field(default_factory=list)
    """The tablespaces of tables and indexes."""


def find(connection: Connection) -> LeftOut:
    """Return what a dump of the connected database leaves out, or needs on the server."""
    objects = {
        f"{row.kind} {row.name}": f"it belongs to the extension {row.extension}, so pg_dump leaves it to CREATE"
        f" EXTENSION. To back it up: ALTER EXTENSION {row.extension} DROP {row.kind.upper()} {row.name}"
        for row in connection.execute(_OF_EXTENSIONS)
    }
    objects |= {
        f"subscription {name}": "it belongs to one server. After a restore create it again with CREATE SUBSCRIPTION"
        for name in connection.scalars(_SUBSCRIPTIONS)
    }
    objects |= {
        f"options of the user mapping for {row.role} on {row.server}": "this role may not read them. After a restore:"
        f" ALTER USER MAPPING FOR {row.role} SERVER {row.server} OPTIONS (ADD …)"
        for row in connection.execute(_HIDDEN_OPTIONS)
    }
    return LeftOut(objects, list(connection.scalars(_TABLESPACES)))


def send_all(objects: dict[str, str]) -> None:
    for name, why in sorted(objects.items()):
        messages.send(f"Not in the backup: {name}: {why}.")


def missing_tablespaces(connection: Connection, needed: list[str]) -> list[str]:
    """Return the tablespaces that the connected server lacks, or that this role may not use."""
    there = set(connection.scalars(_HAS)) if needed else set()
    return [name for name in needed if name not in there]


def write(folder: Path, found: LeftOut) -> None:
    durable_files.write(folder / FILE, json.dumps(asdict(found), indent=1))


def read(folder: Path) -> LeftOut:
    """Return what the backup's file lists; nothing for a backup of an older version."""
    path = folder / FILE
    return LeftOut(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else LeftOut()
