"""Which catalogs hold a schema, and how their objects are named and defined, as SQL.

It reads what pg_dump writes of a schema. Written for PostgreSQL 17 and 18; a column that only one of them has is asked
for through to_jsonb. The same schema has the same fingerprint on both, if its extensions have the same versions.
One text differs: in a rule or an SQL body, 17 prints the alias of a changed table without AS. `differences.compare`
sees through that, as both schemas go through one server.

Left out on purpose, though pg_dump writes it:
- what belongs to one server: subscriptions, user mappings (they hold passwords), tablespaces;
- what is data: large objects with their grants and comments, values of sequences, statistics, whether a materialized
  view is filled;
- the comment of an extension, which each version of it brings along;
- the name of a NOT NULL constraint, and whether a child table has one of its own: version 17 knows neither.

Left out because pg_dump leaves it out: comments on members of extensions and on what PostgreSQL itself brings, their
owners, versions of collations, sizes. Grants and settings of the database are read by backups/properties.py; those of
parameters belong to the whole server.
"""
