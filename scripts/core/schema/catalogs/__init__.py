"""Which catalogs hold a schema, and how their objects are named and defined, as SQL.

It covers what pg_dump writes of a schema. It is written for PostgreSQL 17 and 18; a column that only one of them has is
read through to_jsonb. The same schema has the same fingerprint on both, if its extensions have the same versions.
One text differs: in a rule or an SQL body, 17 prints the alias of a changed table without AS. `compare.compare` handles
that, because both schemas go through one server.

Left out on purpose, although pg_dump writes it:
- what belongs to one server: subscriptions, user mappings (they hold passwords), tablespaces;
- what is data: large objects with their grants and comments, values of sequences, statistics, whether a materialized
  view is filled;
- the comment of an extension, which comes with each version of it;
- the name of a NOT NULL constraint, and whether a child table has its own: version 17 has neither.

A backup names subscriptions, and user mappings whose options its role cannot read.

Left out because pg_dump leaves it out: comments on members of extensions and on PostgreSQL's own objects, their owners,
versions of collations, sizes. backups/database_properties.py reads grants and settings of the database. Those of
parameters belong to the whole server.
"""
