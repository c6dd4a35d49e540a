"""Types and what belongs to them: routines, operators, casts."""

from scripts.core.postgres.user_tables import FIRST_OID
from scripts.core.schema.catalogs.kind import COMMENTED, Kind, after, in_schema, qualified, type_name, words

# Objects that a range type creates along with itself.
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
_RANGE = f"""format('SUBTYPE %s OPCLASS %s MULTIRANGE %s', {type_name("rngsubtype")},
    {qualified("pg_opclass.opc", "rngsubopc")}, format_type(rngmultitypid, NULL))
    || {after("COLLATE", "nullif(rngcollation, 0)::regcollation")}
    || {after("CANONICAL", "nullif(rngcanonical, 0)::regprocedure")}
    || {after("SUBTYPE_DIFF", "nullif(rngsubdiff, 0)::regprocedure")}"""
_BASE = f"""concat_ws(' ', typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze, typlen, typbyval,
    typalign, typstorage, typcategory, typispreferred, typdelim, typdefault)
    || {words("typcollation <> 0", "COLLATABLE")} || {after("ELEMENT", "format_type(nullif(typelem, 0), NULL)")}
    || {after("SUBSCRIPT", "nullif(typsubscript::oid, 0)::regproc")}"""

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
    || {after("FAMILY", qualified("pg_opfamily.opf", "opcfamily"))}
    || {after("STORAGE", "format_type(nullif(opckeytype, 0), NULL)")}"""
# A member belongs to a class, with which it is dropped, or loosely to a family.
_MEMBERS = f"""
    (SELECT string_agg(concat_ws(' ', 'OPERATOR', amopstrategy, amopopr::regoperator, 'ORDER BY '
       || {qualified("pg_opfamily.opf", "amopsortfamily")}), ', ' ORDER BY amopstrategy, amopopr::regoperator::text)
       FROM pg_amop m JOIN pg_depend ON (classid, objid) = (m.tableoid, m.oid)
       WHERE (refclassid, refobjid) = (o.tableoid, o.oid)),
    (SELECT string_agg(format('FUNCTION %s (%s, %s) %s', amprocnum, format_type(amproclefttype, NULL),
       format_type(amprocrighttype, NULL), amproc::oid::regprocedure), ', '
       ORDER BY amprocnum, format_type(amproclefttype, NULL), format_type(amprocrighttype, NULL))
       FROM pg_amproc m JOIN pg_depend ON (classid, objid) = (m.tableoid, m.oid)
       WHERE (refclassid, refobjid) = (o.tableoid, o.oid))"""

KINDS = [
    in_schema(
        "enum",
        "pg_type.typ",
        "coalesce((SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum"
        " WHERE enumtypid = o.oid), 'EMPTY')",
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
    Kind(
        "'domain ' || s.prefix || quote_ident(t.typname) || ', NOT NULL'",
        "NULL",
        f"pg_constraint o JOIN pg_type t ON t.oid = o.contypid JOIN space s ON s.oid = typnamespace"
        f" WHERE o.contype = 'n' AND {COMMENTED}",
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
    in_schema("shell type", "pg_type.typ", "'SHELL'", acl="T", more="WHERE NOT typisdefined"),
    *(
        Kind(
            f"'{kind} ' || s.prefix || quote_ident(proname) || '(' || oidvectortypes(proargtypes) || ')'",
            definition,
            f"pg_proc o JOIN space s ON s.oid = pronamespace AND o.oid >= {FIRST_OID} {more}"
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
        f"pg_operator o JOIN space s ON s.oid = oprnamespace AND o.oid >= {FIRST_OID}",
        "oprowner",
    ),
    *(
        Kind(
            f"'{kind} ' || s.prefix || quote_ident({prefix}name) || ' USING ' || quote_ident(amname)",
            definition,
            f"{catalog} o JOIN space s ON s.oid = {prefix}namespace AND o.oid >= {FIRST_OID}"
            f" JOIN pg_am m ON m.oid = {prefix}method",
            f"{prefix}owner",
        )
        for kind, catalog, prefix, definition in [
            ("operator class", "pg_opclass", "opc", f"concat_ws(', ', {_CLASS}, {_MEMBERS})"),
            ("operator family", "pg_opfamily", "opf", f"concat_ws(', ', 'FAMILY', {_MEMBERS})"),
        ]
    ),
    Kind(
        "format('cast (%s AS %s)', format_type(castsource, NULL), format_type(casttarget, NULL))",
        "concat_ws(' ', castmethod, castcontext, nullif(castfunc, 0)::regprocedure)",
        f"(SELECT tableoid, * FROM pg_cast WHERE oid >= {FIRST_OID}) o WHERE NOT {_MADE_WITH_ANOTHER}",
    ),
    Kind(
        "format('transform for %s language %s', format_type(trftype, NULL), (SELECT quote_ident(lanname)"
        " FROM pg_language WHERE oid = trflang))",
        "format('FROM %s TO %s', trffromsql::oid::regprocedure, trftosql::oid::regprocedure)",
        "pg_transform o",
    ),
]
