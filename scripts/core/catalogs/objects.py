"""Everything but relations: types, routines, operators, and what belongs to the database as a whole."""

from scripts.core.catalogs.kind import Kind, after, enabled, in_schema, of_database, options, type_name, words

_EXTENSION = f"""extversion || {
    after(
        "SCHEMA",
        "(SELECT quote_ident(nspname) FROM pg_namespace WHERE oid = extnamespace"
        " AND nspname NOT IN ('public', 'pg_catalog'))",
    )
}"""

# What a range type brings along with it.
_MADE_WITH_ANOTHER = "EXISTS (SELECT FROM pg_depend WHERE classid = o.tableoid AND objid = o.oid AND deptype = 'i')"

_DOMAIN = f"""{type_name("typbasetype", "typtypmod")}
    || {
    after(
        "COLLATE",
        '''(SELECT o.typcollation::regcollation FROM pg_type b WHERE b.oid = o.typbasetype
       AND b.typcollation <> o.typcollation)''',
    )
}
    || {after("DEFAULT", "pg_get_expr(typdefaultbin, 0)")} || {words("typnotnull", "NOT NULL")}"""
_COMPOSITE = f"""(SELECT '(' || coalesce(string_agg(quote_ident(attname) || ' ' || {type_name("atttypid", "atttypmod")}
    || {after("COLLATE", "CASE WHEN attcollation <> t.typcollation THEN attcollation::regcollation END")}, ', '
    ORDER BY attnum), '') || ')' FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)"""
_RANGE = f"""format('SUBTYPE %s OPCLASS %s MULTIRANGE %s', {type_name("rngsubtype")}, (SELECT quote_ident(opcname)
    FROM pg_opclass WHERE oid = rngsubopc), format_type(rngmultitypid, NULL))
    || {after("COLLATE", "nullif(rngcollation, 0)::regcollation")}
    || {after("CANONICAL", "nullif(rngcanonical, 0)::regprocedure")}
    || {after("SUBTYPE_DIFF", "nullif(rngsubdiff, 0)::regprocedure")}"""
_BASE = """concat_ws(' ', typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze, typlen, typbyval,
    typalign, typstorage, typcategory, typispreferred, typdelim, typdefault)"""

_AGGREGATE = """jsonb_strip_nulls((to_jsonb(g) - '{aggfnoid,aggsortop,aggtranstype,aggmtranstype}'::text[])
    || jsonb_build_object('parallel', proparallel, 'returns', format_type(prorettype, NULL),
       'arguments', pg_get_function_arguments(o.oid), 'state', format_type(aggtranstype, NULL),
       'moving state', format_type(nullif(aggmtranstype, 0), NULL),
       'sort operator', nullif(aggsortop, 0)::regoperator::text))::text"""
_OPERATOR = f"""'FUNCTION ' || oprcode::oid::regprocedure || {words("oprcanmerge", "MERGES")}
    || {words("oprcanhash", "HASHES")} || {after("COMMUTATOR", "nullif(oprcom, 0)::regoperator")}
    || {after("NEGATOR", "nullif(oprnegate, 0)::regoperator")}
    || {after("RESTRICT", "nullif(oprrest::oid, 0)::regproc")} || {after("JOIN", "nullif(oprjoin::oid, 0)::regproc")}"""
_CLASS = f"""'FOR TYPE ' || format_type(opcintype, NULL) || {words("opcdefault", "DEFAULT")}
    || {after("FAMILY", "(SELECT quote_ident(opfname) FROM pg_opfamily WHERE oid = opcfamily)")}
    || {after("STORAGE", "format_type(nullif(opckeytype, 0), NULL)")}"""
_FAMILY = """concat_ws(', ', 'FAMILY',
    (SELECT string_agg(concat_ws(' ', 'OPERATOR', amopstrategy, amopopr::regoperator, 'ORDER BY ' || (SELECT opfname
       FROM pg_opfamily WHERE oid = amopsortfamily)), ', ' ORDER BY amopstrategy, amopopr::regoperator::text)
       FROM pg_amop WHERE amopfamily = o.oid),
    (SELECT string_agg(concat_ws(' ', 'FUNCTION', amprocnum, amproc::oid::regprocedure), ', '
       ORDER BY amprocnum, amproc::oid::regprocedure::text) FROM pg_amproc WHERE amprocfamily = o.oid))"""

_COLLATION = f"""concat_ws(' ', 'PROVIDER', collprovider, collcollate, collctype, to_jsonb(o) ->> 'colllocale',
    'RULES ' || collicurules) || {words("NOT collisdeterministic", "NOT DETERMINISTIC")}"""
# Not pg_get_statisticsobjdef, which tells the columns in their order in the table.
_STATISTICS = f"""'ON ' || stxrelid::regclass || ' (' || concat_ws(', ',
    (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute
       WHERE attrelid = stxrelid AND attnum = ANY (stxkeys)),
    array_to_string(pg_get_statisticsobjdef_expressions(o.oid), ', ')) || ') KINDS '
    || (SELECT string_agg(kind::text, '' ORDER BY kind) FROM unnest(stxkind) kind)
    || {after("STATISTICS", "nullif(stxstattarget, -1)")}"""
_SEARCH = f"""'PARSER ' || (SELECT quote_ident(prsname) FROM pg_ts_parser WHERE oid = cfgparser)
    || {
    after(
        "FOR",
        '''(SELECT string_agg(token.alias || ' ' || mapdict::regdictionary, ', '
       ORDER BY maptokentype, mapseqno) FROM pg_ts_config_map JOIN ts_token_type(cfgparser) token
       ON tokid = maptokentype WHERE mapcfg = o.oid)''',
    )
}"""
_DICTIONARY = f"""'TEMPLATE ' || (SELECT quote_ident(tmplname) FROM pg_ts_template WHERE oid = dicttemplate)
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
    in_schema(
        "enum",
        "pg_type.typ",
        "(SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum"
        " WHERE enumtypid = o.oid)",
        acl="T",
        more="WHERE typtype = 'e'",
    ),
    in_schema("domain", "pg_type.typ", _DOMAIN, acl="T", more="WHERE typtype = 'd'"),
    Kind(
        "'domain ' || s.prefix || quote_ident(t.typname) || ', constraint ' || quote_ident(o.conname)",
        "pg_get_constraintdef(o.oid)",
        "pg_constraint o JOIN pg_type t ON t.oid = o.contypid JOIN space s ON s.oid = typnamespace"
        " WHERE o.contype = 'c'",
        parent="t.oid",
        parent_catalog="pg_type",
    ),
    in_schema("type", "pg_type.typ", _COMPOSITE, acl="T", more="JOIN pg_class c ON c.oid = typrelid AND relkind = 'c'"),
    in_schema("range", "pg_type.typ", _RANGE, acl="T", more="JOIN pg_range ON rngtypid = o.oid"),
    in_schema(
        "base type",
        "pg_type.typ",
        _BASE,
        acl="T",
        more="WHERE typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = o.oid)",
    ),
    *(
        Kind(
            f"'{kind} ' || s.prefix || quote_ident(proname) || '(' || oidvectortypes(proargtypes) || ')'",
            definition,
            f"pg_proc o JOIN space s ON s.oid = pronamespace {more}"
            f" WHERE prokind IN ({letters}) AND NOT {_MADE_WITH_ANOTHER}",
            "proowner",
            "proacl",
            "acldefault('f', proowner)",
        )
        for kind, letters, definition, more in [
            ("function", "'f', 'w'", "pg_get_functiondef(o.oid)", ""),
            ("procedure", "'p'", "pg_get_functiondef(o.oid)", ""),
            ("aggregate", "'a'", _AGGREGATE, "JOIN pg_aggregate g ON aggfnoid = o.oid"),
        ]
    ),
    Kind(
        "format('operator %s%s (%s, %s)', s.prefix, oprname, CASE oprleft WHEN 0 THEN 'NONE'"
        " ELSE format_type(oprleft, NULL) END, format_type(oprright, NULL))",
        _OPERATOR,
        "pg_operator o JOIN space s ON s.oid = oprnamespace",
        "oprowner",
    ),
    *(
        Kind(
            f"'{kind} ' || s.prefix || quote_ident({prefix}name) || ' USING ' || quote_ident(amname)",
            definition,
            f"{catalog} o JOIN space s ON s.oid = {prefix}namespace JOIN pg_am m ON m.oid = {prefix}method",
            f"{prefix}owner",
        )
        for kind, catalog, prefix, definition in [
            ("operator class", "pg_opclass", "opc", _CLASS),
            ("operator family", "pg_opfamily", "opf", _FAMILY),
        ]
    ),
    Kind(
        "format('cast (%s AS %s)', format_type(castsource, NULL), format_type(casttarget, NULL))",
        "concat_ws(' ', castmethod, castcontext, nullif(castfunc, 0)::regprocedure)",
        f"(SELECT tableoid, * FROM pg_cast WHERE oid >= 16384) o WHERE NOT {_MADE_WITH_ANOTHER}",
    ),
    Kind(
        "format('transform for %s language %s', format_type(trftype, NULL), (SELECT quote_ident(lanname)"
        " FROM pg_language WHERE oid = trflang))",
        "format('FROM %s TO %s', trffromsql::oid::regprocedure, trftosql::oid::regprocedure)",
        "pg_transform o",
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
        "(SELECT tableoid, * FROM pg_am WHERE oid >= 16384) o",
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
        " WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE defaclobjtype::text END)",
        "NULL",
        "pg_default_acl o",
        acl="defaclacl",
        usual_acl='CASE WHEN defaclnamespace = 0 THEN acldefault(lower(defaclobjtype::text)::"char", defaclrole) END',
    ),
]
