"""How one kind of object is read, and SQL that the kinds share."""

from dataclasses import dataclass

from scripts.core.postgres.user_tables import FIRST_OID, SCHEMA


@dataclass(frozen=True)
class Kind:
    """One kind of object. All fields are SQL, in which `o` is the object's row in its catalog."""

    name: str
    definition: str
    """NULL if there is no definition, although comments or grants are possible."""
    source: str
    """The SQL after FROM."""
    owner: str = "NULL"
    acl: str = "NULL"
    usual_acl: str = "NULL"
    """PostgreSQL's default grants on it."""
    column: str = "0"
    """Its number, if the object is a column."""
    parent: str = "0"
    """The OID of the object that it is a part of."""
    parent_catalog: str = "pg_class"


# Names have their schema, except for the schema public. The server's own schemas are left out.
SPACE = f"""space AS MATERIALIZED (
    SELECT oid, CASE nspname WHEN 'public' THEN '' ELSE quote_ident(nspname) || '.' END AS prefix
    FROM pg_namespace WHERE {SCHEMA})"""
RELATION = """relation AS MATERIALIZED (
    SELECT c.tableoid, c.oid, relname, relkind, relowner, relacl, relpersistence, reloftype, relispartition,
        relpartbound, relam, reloptions, reltoastrelid, relrowsecurity, relforcerowsecurity, relreplident, relnamespace,
        CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view '
        WHEN 'f' THEN 'foreign table ' WHEN 'c' THEN 'type ' WHEN 'S' THEN 'sequence ' ELSE 'table ' END
        || s.prefix || quote_ident(relname) AS name
    FROM pg_class c JOIN space s ON s.oid = relnamespace WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'c', 'S'){})"""

# A NOT NULL constraint has no other definition.
COMMENTED = "EXISTS (SELECT FROM pg_description WHERE (classoid, objoid) = (o.tableoid, o.oid))"


def in_schema(kind: str, catalog: str, definition: str, more: str = "", acl: str = "") -> Kind:
    """Return the kind of an object in a schema.

    `catalog` is as in pg_type.typ, with the prefix of its columns. `acl` is acldefault's letter for the kind.
    """
    table, prefix = catalog.split(".")
    name = f"'{kind} ' || s.prefix || quote_ident(o.{prefix}name)"
    source = f"{table} o JOIN space s ON s.oid = o.{prefix}namespace AND o.oid >= {FIRST_OID} {more}"
    return Kind(name, definition, source, *_owned(prefix, acl))


def of_database(kind: str, catalog: str, definition: str, acl: str = "") -> Kind:
    """Return the kind of an object of the whole database. Objects from initdb belong to the server."""
    table, prefix = catalog.split(".")
    source = f"(SELECT tableoid, * FROM {table} WHERE oid >= {FIRST_OID}) o"
    return Kind(f"'{kind} ' || quote_ident(o.{prefix}name)", definition, source, *_owned(prefix, acl))


def part(kind: str, name: str, relation: str, definition: str, more: str = "") -> Kind:
    """Return the kind of a part of a relation. `name` and `relation` are columns such as pg_policy.polname."""
    catalog, column = name.split(".")
    source = f"{catalog} o JOIN relation r ON r.oid = o.{relation} {more}"
    return Kind(f"r.name || ', {kind} ' || quote_ident(o.{column})", definition, source, parent="r.oid")


def _owned(prefix: str, acl: str) -> list[str]:
    owner = f"o.{prefix}owner"
    return [owner, f"o.{prefix}acl", f"acldefault('{acl}', {owner})"] if acl else [owner]


def type_name(oid: str, modifier: str = "NULL") -> str:
    return f"replace(format_type({oid}, {modifier}), 'character varying', 'varchar')"


def words(condition: str, label: str) -> str:
    """Return SQL for a label, if the condition is true; otherwise it gives an empty text."""
    return f"CASE WHEN {condition} THEN ' {label}' ELSE '' END"


def after(label: str, value: str) -> str:
    """Return SQL for a label and a value; nothing for NULL."""
    return f"coalesce(' {label} ' || {value}, '')"


def qualified(catalog: str, oid: str) -> str:
    """Return SQL for the name of an object in a catalog such as pg_opclass.opc. The server's own have no schema."""
    table, prefix = catalog.split(".")
    return (
        "(SELECT CASE nspname WHEN 'pg_catalog' THEN '' ELSE quote_ident(nspname) || '.' END"
        f" || quote_ident({prefix}name)"
        f" FROM {table} named JOIN pg_namespace n ON n.oid = {prefix}namespace WHERE named.oid = {oid})"
    )


def options(array: str, label: str = "OPTIONS") -> str:
    """Return SQL for an array of options. Nearly every array is NULL, and sorting takes time."""
    sorted_ones = f"(SELECT '(' || string_agg(one, ', ' ORDER BY one) || ')' FROM unnest({array}) one)"
    return after(label, f"CASE WHEN {array} IS NOT NULL THEN {sorted_ones} END")


def enabled(column: str) -> str:
    return f"CASE {column} WHEN 'D' THEN ' DISABLED' WHEN 'R' THEN ' REPLICA' WHEN 'A' THEN ' ALWAYS' ELSE '' END"
