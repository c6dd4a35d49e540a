"""Versions of the rows from which a schema is read. If they are equal, the schema is.

A row gets another place or another transaction with each change. The rows of one relation are added up.
"""

from scripts.core.postgres.user_tables import FIRST_OID
from scripts.core.schema.catalogs import unknown

REST = 0
"""It stands for all that is no relation and no part of one."""

# The names that PostgreSQL prints for a relation's parts depend on these.
_OF_THE_REST = (
    *("pg_am", "pg_amop", "pg_amproc", "pg_cast", "pg_collation", "pg_conversion", "pg_default_acl", "pg_enum"),
    *("pg_event_trigger", "pg_extension", "pg_foreign_data_wrapper", "pg_foreign_server"),
    *("pg_opclass", "pg_operator", "pg_opfamily", "pg_proc", "pg_publication", "pg_publication_namespace"),
    *("pg_publication_rel", "pg_statistic_ext", "pg_transform", "pg_ts_config", "pg_ts_dict", "pg_ts_parser"),
    "pg_ts_template",
)
_WITH_GRANTS = (
    f"pg_class WHERE oid < {FIRST_OID} AND relacl IS NOT NULL",
    f"pg_attribute WHERE attrelid < {FIRST_OID} AND attacl IS NOT NULL",
    f"pg_proc WHERE oid < {FIRST_OID} AND proacl IS NOT NULL",
    f"pg_type WHERE oid < {FIRST_OID} AND typacl IS NOT NULL",
)
"""PostgreSQL's own objects with grants."""
_PARTS = (
    f"oid FROM pg_class WHERE oid >= {FIRST_OID}",
    f"attrelid FROM pg_attribute WHERE attrelid >= {FIRST_OID} AND attnum > 0",
    f"adrelid FROM pg_attrdef WHERE adrelid >= {FIRST_OID}",
    f"conrelid FROM pg_constraint WHERE oid >= {FIRST_OID}",
    f"indrelid FROM pg_index WHERE indexrelid >= {FIRST_OID}",
    f"tgrelid FROM pg_trigger WHERE oid >= {FIRST_OID}",
    # A foreign key is disabled by its triggers on the other table too.
    f"tgconstrrelid FROM pg_trigger WHERE oid >= {FIRST_OID} AND tgconstrrelid <> 0",
    f"ev_class FROM pg_rewrite WHERE oid >= {FIRST_OID}",
    "polrelid FROM pg_policy",
    "inhrelid FROM pg_inherits",
    "seqrelid FROM pg_sequence",
    "partrelid FROM pg_partitioned_table",
    "ftrelid FROM pg_foreign_table",
    # A table's own type, which is named as the table. Those of arrays are named by their element.
    f"typrelid FROM pg_type WHERE oid >= {FIRST_OID} AND typinput <> 'array_in'::regproc",
    f"CASE classoid WHEN 'pg_class'::regclass THEN objoid ELSE 0 END FROM pg_description WHERE objoid >= {FIRST_OID}",
)
_OWNED = (
    "SELECT seqrelid AS number, hash_record_extended(ROW(d.tableoid, d.ctid, d.xmin), 0) AS version FROM pg_sequence"
    " JOIN pg_depend d ON classid = 'pg_class'::regclass AND objid = seqrelid"
)
"""The columns that own sequences."""
_OTHERS = (
    "0 FROM pg_description WHERE objoid IN (SELECT oid FROM pg_namespace) AND classoid = 'pg_namespace'::regclass",
    "0 FROM pg_depend WHERE refclassid = 'pg_extension'::regclass",
    "0 FROM pg_database WHERE datname = current_database()",
    f"0 FROM pg_aggregate WHERE aggfnoid >= {FIRST_OID}",
    f"0 FROM pg_ts_config_map WHERE mapcfg >= {FIRST_OID}",
    *("0 FROM pg_namespace", "0 FROM pg_language", "0 FROM pg_seclabel", "0 FROM pg_init_privs"),
    *(f"0 FROM {catalog} WHERE oid >= {FIRST_OID}" for catalog in _OF_THE_REST),
    *(f"0 FROM {own}" for own in _WITH_GRANTS),
)


def statement(*own: str) -> str:
    """Return what reads a relation's number, or REST, and its version. `own`: numbers of our tables, as SQL."""
    rows = " UNION ALL ".join(map(_select, (*_PARTS, *_OTHERS)))
    return (
        f"WITH version AS (SELECT number, bit_xor(version) AS version FROM ({rows} UNION ALL {_OWNED}"
        " UNION ALL SELECT 0, hash_record_extended(ROW(oid, rolname), 0) FROM pg_roles"
        f" UNION ALL SELECT 0, hash_record_extended(ROW({', '.join(own)}), 0)) every GROUP BY number)"
        " SELECT coalesce(t.oid, i.indrelid, number), bit_xor(version) FROM version"
        " LEFT JOIN pg_index i ON indexrelid = number"
        " LEFT JOIN pg_class t ON t.reltoastrelid = coalesce(i.indrelid, number) AND t.reltoastrelid <> 0"
        " GROUP BY 1"
    )


def _select(source: str) -> str:
    number, rest = source.split(" FROM ", 1)
    return f"SELECT {number} AS number, hash_record_extended(ROW(tableoid, ctid, xmin), 0) AS version FROM {rest}"


# Objects of kinds that are not known yet are found by a reading of the whole schema.
ARE_RELATIONS = f"""SELECT NOT EXISTS (SELECT FROM pg_class WHERE oid = ANY (%s::oid[])
    AND relkind NOT IN ('r', 'p', 'v', 'm', 'f', 'S')) AND NOT EXISTS (SELECT FROM pg_constraint
    WHERE conrelid = ANY (%s::oid[]) AND {unknown.other("pg_constraint.contype")})"""
# Keys, defaults and triggers print the names of other relations and columns, and nothing else of them.
ARE_USED = """SELECT EXISTS (SELECT FROM pg_depend
    WHERE refclassid = 'pg_class'::regclass AND refobjid = ANY (%s::oid[])
    AND classid <> ALL ('{pg_class,pg_constraint,pg_attrdef,pg_trigger,pg_type}'::regclass[]))"""

_ROWS = (
    *(f"pg_{catalog} WHERE oid >= {FIRST_OID}" for catalog in ("class", "attrdef", "constraint", "enum", "type")),
    f"pg_index WHERE indexrelid >= {FIRST_OID}",
    f"pg_attribute WHERE attrelid >= {FIRST_OID} AND attnum > 0",
    "pg_namespace",
)
"""What a snapshot of the tables is read from, without PostgreSQL's own rows, which are thousands."""
OF_TABLES = "SELECT current_setting('search_path'), " + ", ".join(
    f"(SELECT bit_xor(hash_record_extended(ROW(ctid, xmin), 0)) FROM {rows})" for rows in _ROWS
)
"""In SQL, which versions of these rows are visible, and how names are printed."""
WRITES = " + ".join(
    f"pg_stat_get_xact_tuples_{done}('{rows.split()[0]}'::regclass)"
    for rows in _ROWS
    for done in ("inserted", "updated", "deleted")
)
"""In SQL, how many rows of these catalogs the running transaction has written. It is much cheaper than the versions.
A rollback to a savepoint does not change it."""
