"""Objects of kinds that this version does not know, as a newer PostgreSQL may have. Only their names are read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql
from scripts.core.postgres.user_tables import FIRST_OID
from scripts.core.schema.catalogs.kind import Kind

Catalogs = tuple[tuple[str, tuple[str, ...]], ...]
"""Names of catalogs, each with its columns that hold numbers of objects; also names of LETTERS."""
DEFINITION = "NOT COMPARED"
"""It replaces the definition of such an object."""

# Of PostgreSQL 16 to 18, without those of the whole server. What they hold is read, or left out on purpose.
CATALOGS = (
    *("pg_aggregate", "pg_am", "pg_amop", "pg_amproc", "pg_attrdef", "pg_attribute", "pg_cast", "pg_class"),
    *("pg_collation", "pg_constraint", "pg_conversion", "pg_default_acl", "pg_depend", "pg_description", "pg_enum"),
    *("pg_event_trigger", "pg_extension", "pg_foreign_data_wrapper", "pg_foreign_server", "pg_foreign_table"),
    *("pg_index", "pg_inherits", "pg_init_privs", "pg_language", "pg_largeobject", "pg_largeobject_metadata"),
    *("pg_namespace", "pg_opclass", "pg_operator", "pg_opfamily", "pg_partitioned_table", "pg_policy", "pg_proc"),
    *("pg_publication", "pg_publication_namespace", "pg_publication_rel", "pg_range", "pg_rewrite", "pg_seclabel"),
    *("pg_sequence", "pg_statistic", "pg_statistic_ext", "pg_statistic_ext_data", "pg_subscription_rel"),
    *("pg_transform", "pg_trigger", "pg_ts_config", "pg_ts_config_map", "pg_ts_dict", "pg_ts_parser"),
    *("pg_ts_template", "pg_type", "pg_user_mapping"),
)
LETTERS = {
    "pg_class.relkind": "rpfvmcSiIt",
    "pg_type.typtype": "bcdempr",
    "pg_proc.prokind": "fpaw",
    "pg_constraint.contype": "cfnptux",
}
"""The known kinds within a catalog."""
_SPACES = {
    "pg_class.relkind": "relnamespace",
    "pg_type.typtype": "typnamespace",
    "pg_proc.prokind": "pronamespace",
    "pg_constraint.contype": "connamespace",
}
_NAME = (
    "(SELECT type || ' ' || regexp_replace(identity, '^public[.]', '') FROM pg_identify_object(o.tableoid, o.oid, 0))"
)


def find() -> str:
    """Return SQL for the server's other catalogs, and for the known ones with other letters, as JSON.

    For each catalog it has the columns that hold numbers of objects (OID). It is a separate question, because nearly
    every server has none.
    """
    letters = " ".join(
        f"UNION ALL SELECT '{place}', '{{}}' WHERE EXISTS"
        f" (SELECT FROM {place.partition('.')[0]} WHERE oid >= {FIRST_OID} AND {other(place)})"
        for place in LETTERS
    )
    return (
        "(SELECT json_object_agg(name, columns) FROM (SELECT relname::text AS name, array(SELECT attname::text"
        " FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND atttypid = 'oid'::regtype) AS columns"
        " FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace"
        f" AND oid < {FIRST_OID} AND NOT relisshared AND relname NOT IN ({_listed(CATALOGS)})"
        f" AND has_table_privilege(oid, 'SELECT') {letters}) found)"
    )


def found(columns: Mapping[str, Sequence[str]] | None) -> Catalogs:
    """Return the result of `find` in an order that does not change."""
    return tuple((name, tuple(numbers)) for name, numbers in sorted((columns or {}).items()))


def report(name: str) -> str:
    return f"Only the existence of {name} is compared: this version of the scripts does not know such objects."


def kinds(catalogs: Catalogs) -> Iterator[Kind]:
    """Yield what reads the names of such objects."""
    for name, columns in catalogs:
        if name in LETTERS:
            catalog, space = name.partition(".")[0], _SPACES[name]
            source = f"{catalog} o JOIN space s ON s.oid = o.{space} WHERE {other(name)}"
            yield Kind(_NAME, f"'{DEFINITION}'", source)
        elif columns:
            yield from _in_catalog(sql.name(name), columns)


def _in_catalog(catalog: Sql, columns: Sequence[str]) -> Iterator[Kind]:
    """Yield what reads an unknown catalog. Its rows that are no objects of their own have no names."""
    condition = f"greatest({', '.join(map(sql.name, columns))}) >= {FIRST_OID}"
    if "oid" in columns:
        is_object = "EXISTS (SELECT FROM pg_depend WHERE (classid, objid) = (o.tableoid, o.oid))"
        yield Kind(_NAME, f"'{DEFINITION}'", f"{catalog} o WHERE oid >= {FIRST_OID} AND {is_object}")
        condition += f" AND NOT {is_object}"
    rows = f"(SELECT DISTINCT tableoid, CAST(0 AS oid) AS oid FROM {catalog} o WHERE {condition}) o"
    yield Kind("'rows of ' || o.tableoid::regclass", f"'{DEFINITION}'", rows)


def other(place: str) -> str:
    """Return the condition that a row of a catalog has none of the known letters."""
    return f"{place.partition('.')[2]} NOT IN ({_listed(LETTERS[place])})"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)
