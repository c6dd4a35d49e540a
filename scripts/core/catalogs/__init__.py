"""Which catalogs hold a schema, and how their objects are named and defined, as SQL.

Not read: security labels, subscriptions and user mappings, which belong to one server; tablespaces, large objects and
settings of the database. Written for PostgreSQL 17 and 18; a column that only one of them has is asked for through
to_jsonb.
"""
