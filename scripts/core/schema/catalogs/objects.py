"""Objects that are no relations and no types: schemas, extensions, text search, publications ..."""

from scripts.core.postgres.user_tables import FIRST_OID
from scripts.core.schema.catalogs.kind import Kind, after, enabled, in_schema, of_database, options, qualified, words

_EXTENSION = f"""extversion || {
    after(
        "SCHEMA",
        "(SELECT quote_ident(nspname) FROM pg_namespace WHERE oid = extnamespace AND nspname <> 'public')",
    )
}"""

_COLLATION = f"""concat_ws(' ', 'PROVIDER', collprovider, collcollate, collctype,
    coalesce(to_jsonb(o) ->> 'colllocale', to_jsonb(o) ->> 'colliculocale'),
    'RULES ' || collicurules) || {words("NOT collisdeterministic", "NOT DETERMINISTIC")}"""
# Not pg_get_statisticsobjdef, which prints the columns in the order of the table.
_STATISTICS = f"""'ON ' || stxrelid::regclass || ' (' || concat_ws(', ',
    (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute
       WHERE attrelid = stxrelid AND attnum = ANY (stxkeys)),
    array_to_string(pg_get_statisticsobjdef_expressions(o.oid), ', ')) || ') KINDS '
    || (SELECT string_agg(kind::text, '' ORDER BY kind) FROM unnest(stxkind) kind)
    || {after("STATISTICS", "nullif(stxstattarget, -1)")}"""
_SEARCH = f"""'PARSER ' || {qualified("pg_ts_parser.prs", "cfgparser")}
    || {
    after(
        "FOR",
        '''(SELECT string_agg(token.alias || ' ' || mapdict::regdictionary, ', '
       ORDER BY maptokentype, mapseqno) FROM pg_ts_config_map JOIN ts_token_type(cfgparser) token
       ON tokid = maptokentype WHERE mapcfg = o.oid)''',
    )
}"""
_DICTIONARY = f"""'TEMPLATE ' || {qualified("pg_ts_template.tmpl", "dicttemplate")}
    || {after("WITH", "dictinitoption")}"""

_EVENT = f"""evtevent || {after("WHEN", "(SELECT string_agg(tag, ', ' ORDER BY tag) FROM unnest(evttags) tag)")}
    || ' EXECUTE ' || evtfoid::regprocedure || {enabled("evtenabled")}"""
_PUBLICATION = f"""concat_ws(', ', CASE WHEN puballtables THEN 'ALL TABLES' ELSE 'SOME TABLES' END
    || {words("pubinsert", "INSERT")} || {words("pubupdate", "UPDATE")} || {words("pubdelete", "DELETE")}
    || {words("pubtruncate", "TRUNCATE")} || {words("pubviaroot", "VIA ROOT")}
    || {words("to_jsonb(o) ->> 'pubgencols' = 's'", "STORED")},
    (SELECT string_agg('SCHEMA ' || pnnspid::regnamespace, ', ' ORDER BY pnnspid::regnamespace::text)
       FROM pg_publication_namespace WHERE pnpubid = o.oid),
    (SELECT string_agg('TABLE ' || prrelid::regclass || coalesce((SELECT ' (' || string_agg(quote_ident(attname), ', '
       ORDER BY attname) || ')' FROM pg_attribute WHERE attrelid = prrelid AND attnum = ANY (prattrs)), '')
       || {after("WHERE", "pg_get_expr(prqual, prrelid)")}, ', ' ORDER BY prrelid::regclass::text)
       FROM pg_publication_rel WHERE prpubid = o.oid))"""

KINDS = [
    Kind(
        "'schema ' || quote_ident(o.nspname)",
        "'SCHEMA'",
        "(SELECT tableoid, n.* FROM pg_namespace n WHERE oid IN (SELECT oid FROM space)) o",
        "nspowner",
        "nspacl",
        "acldefault('n', nspowner)",
    ),
    Kind(
        "'extension ' || quote_ident(o.extname)",
        _EXTENSION,
        "pg_extension o",
    ),
    in_schema("collation", "pg_collation.coll", _COLLATION),
    in_schema(
        "conversion",
        "pg_conversion.con",
        "format('FOR %s TO %s FROM %s', pg_encoding_to_char(conforencoding), pg_encoding_to_char(contoencoding),"
        f" conproc::oid::regprocedure) || {words('condefault', 'DEFAULT')}",
    ),
    in_schema(
        "statistics",
        "pg_statistic_ext.stx",
        _STATISTICS,
    ),
    in_schema("text search configuration", "pg_ts_config.cfg", _SEARCH),
    in_schema("text search dictionary", "pg_ts_dict.dict", _DICTIONARY),
    *(
        Kind(
            f"'{kind} ' || s.prefix || quote_ident({prefix}name)",
            f"concat_ws(' ', {functions})",
            f"{catalog} o JOIN space s ON s.oid = {prefix}namespace",
        )
        for kind, catalog, prefix, functions in [
            ("text search parser", "pg_ts_parser", "prs", "prsstart, prstoken, prsend, prsheadline, prslextype"),
            ("text search template", "pg_ts_template", "tmpl", "tmplinit, tmpllexize"),
        ]
    ),
    of_database(
        "language",
        "pg_language.lan",
        "concat_ws(' ', lanpltrusted, lanplcallfoid::regproc, laninline::regproc, lanvalidator::regproc)",
        acl="l",
    ),
    Kind(
        "'access method ' || quote_ident(amname)",
        "concat_ws(' ', amtype, amhandler)",
        f"(SELECT tableoid, * FROM pg_am WHERE oid >= {FIRST_OID}) o",
    ),
    of_database("event trigger", "pg_event_trigger.evt", _EVENT),
    of_database(
        "foreign data wrapper",
        "pg_foreign_data_wrapper.fdw",
        f"concat_ws(' ', 'WRAPPER', fdwhandler::regproc, fdwvalidator::regproc) || {options('fdwoptions')}",
        acl="F",
    ),
    of_database(
        "server",
        "pg_foreign_server.srv",
        "'WRAPPER ' || (SELECT quote_ident(fdwname) FROM pg_foreign_data_wrapper w WHERE w.oid = srvfdw)"
        f" || {after('TYPE', 'srvtype')} || {after('VERSION', 'srvversion')} || {options('srvoptions')}",
        acl="S",
    ),
    of_database("publication", "pg_publication.pub", _PUBLICATION),
    Kind(
        "concat_ws(' ', 'default privileges', 'of ' || nullif(defaclrole, (SELECT role FROM migrator))::regrole,"
        " 'in schema ' || nullif(defaclnamespace, 0)"
        "::regnamespace, 'on', CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'"
        " WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' WHEN 'L' THEN 'large objects'"
        " ELSE defaclobjtype::text END)",
        "NULL",
        "pg_default_acl o",
        owner="defaclrole",
        acl="defaclacl",
        # acldefault has the same letters, except for sequences: its S is a server.
        usual_acl="CASE WHEN defaclnamespace = 0 THEN acldefault(CASE defaclobjtype WHEN 'S' THEN 's'"
        " ELSE defaclobjtype END, defaclrole) END",
    ),
]
