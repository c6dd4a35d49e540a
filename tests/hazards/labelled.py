"""Bodies of upgrade(), each for the shop: those that lose nothing and stop nothing, and those with a hazard.

A body in several parts is one revision for each part.
"""

_ALONE = "with op.get_context().autocommit_block():\n    "
_LATER = "\n---\n"
_REQUIRED = 'sa.Column("n", sa.Integer(), server_default="0", nullable=False)'
_NEW = 'op.create_table("new", sa.Column("a", sa.Integer()), sa.Column("b", sa.Integer(), '

SAFE = {
    "a column": 'op.add_column("orders", sa.Column("note", sa.Text()))',
    "a column with a constant": f'op.add_column("orders", {_REQUIRED})',
    "a column with the time": 'op.execute("ALTER TABLE orders ADD COLUMN seen timestamptz NOT NULL DEFAULT now()")',
    "an index": f'{_ALONE}op.create_index("i", "orders", ["placed"], postgresql_concurrently=True, if_not_exists=True)',
    "an index without IF": f'{_ALONE}op.create_index("i", "orders", ["placed"], postgresql_concurrently=True)',
    "an index in place of a leftover": (
        f'{_ALONE}op.execute("DROP INDEX CONCURRENTLY IF EXISTS i")\n'
        '    op.execute("CREATE INDEX CONCURRENTLY i ON orders (placed)")'
    ),
    "an index in place of another, in a transaction": (
        f'op.execute("DROP INDEX IF EXISTS i")\n{_ALONE}op.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON orders (id)")'
    ),
    "no index": f'{_ALONE}op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_orders_customer_id")',
    "a key with an index later": (
        'op.create_foreign_key("k", "orders", "customers", ["number"], ["id"], postgresql_not_valid=True)'
        f'{_LATER}{_ALONE}op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (number)")'
        f'{_LATER}op.execute("ALTER TABLE orders VALIDATE CONSTRAINT k")'
    ),
    "a key of a new table": (
        'op.execute("CREATE TABLE new (id int PRIMARY KEY, customer_id int REFERENCES customers)")'
    ),
    "a key of a new column": 'op.execute("ALTER TABLE orders ADD COLUMN c int REFERENCES customers")',
    "a check": (
        'op.create_check_constraint(op.f("c"), "orders", "total > 0", postgresql_not_valid=True)'
        f'{_LATER}op.execute("ALTER TABLE orders VALIDATE CONSTRAINT c")'
    ),
    "no check": (
        'op.create_check_constraint(op.f("c"), "orders", "total > 0", postgresql_not_valid=True)'
        f'{_LATER}op.drop_constraint(op.f("c"), "orders")'
    ),
    "a unique constraint": (
        f'{_ALONE}op.execute("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS u ON orders (number)")'
        f'{_LATER}op.execute("ALTER TABLE orders ADD CONSTRAINT u UNIQUE USING INDEX u")'
    ),
    "any number": 'op.execute("ALTER TABLE customers ALTER COLUMN credit TYPE numeric")',
    "a larger number": 'op.execute("ALTER TABLE customers ALTER COLUMN credit TYPE numeric(20,4)")',
    "a longer text": 'op.execute("ALTER TABLE customers ALTER COLUMN nickname TYPE varchar(200)")',
    "any text": 'op.alter_column("customers", "nickname", type_=sa.Text())',
    "a value of an enum": """op.execute("ALTER TYPE state ADD VALUE IF NOT EXISTS 'lost'")""",
    "a default": 'op.alter_column("orders", "total", server_default="0")',
    "no default of a column that may be empty": (
        'op.alter_column("orders", "total", server_default="0")'
        f'{_LATER}op.alter_column("orders", "total", server_default=None)'
    ),
    "another default": (
        'op.execute("ALTER TABLE orders ALTER COLUMN state DROP DEFAULT")\n'
        """op.execute("ALTER TABLE orders ALTER COLUMN state SET DEFAULT 'paid'")"""
    ),
    "no default in a new table": (
        'op.execute("CREATE TABLE new (id int NOT NULL DEFAULT 0)")\n'
        'op.execute("ALTER TABLE new ALTER id DROP DEFAULT")'
    ),
    "columns that change places": "\n".join(
        f'op.alter_column("customers", "{old}", new_column_name="{new}")'
        for old, new in (("credit", "x"), ("nickname", "credit"), ("x", "nickname"))
    ),
    "another view": (
        'op.execute("DROP VIEW paid")\n'
        """op.execute("CREATE VIEW paid AS SELECT id, total FROM orders WHERE state = 'paid'")"""
    ),
    "a view on top": """op.execute("CREATE OR REPLACE VIEW paid AS SELECT id FROM orders WHERE state <> 'new'")""",
    "rows": """op.execute("INSERT INTO customers (name) VALUES ('x'), ('y')")""",
    "one row": """op.execute("UPDATE customers SET name = 'truncate' WHERE id = 1")""",
    "rows into an archive": (
        'op.execute("WITH d AS (DELETE FROM orders WHERE id < 10 RETURNING *) INSERT INTO archive SELECT * FROM d")'
    ),
    "a json column": 'op.add_column("orders", sa.Column("data", sa.JSON()))',
    "a partition": (
        """op.execute("CREATE TABLE v PARTITION OF visits FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')")"""
    ),
    "a right": 'op.execute("GRANT SELECT ON orders TO PUBLIC")',
    "a function": (
        """op.execute("DROP FUNCTION tax(int)")\nop.execute("CREATE FUNCTION tax(n int, m int) RETURNS int"""
        """ LANGUAGE sql AS 'SELECT n * m'")"""
    ),
    "a function of the revision's own": (
        """op.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")\nop.execute("REVOKE ALL ON"""
        """ FUNCTION f() FROM PUBLIC")\nop.execute("DROP FUNCTION f()")"""
    ),
    "rights of a new schema, and of what is to come": (
        'op.execute("CREATE SCHEMA s")\nop.execute("REVOKE ALL ON SCHEMA s FROM PUBLIC")\n'
        'op.execute("ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC")\n'
        'op.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")\nop.execute("DROP SCHEMA s")\n'
        'op.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC")'
    ),
    "a guarded new table": (
        'op.execute("CREATE TABLE new (id int)")\nop.execute("ALTER TABLE new ENABLE ROW LEVEL SECURITY")'
    ),
    "a stored column of a new table": (_NEW + 'sa.Computed("a", persisted=True)))'),
}
"""No warning for these."""

UNSAFE = {
    "an index": ("H03", 'op.create_index("i", "orders", ["placed"])'),
    "an index and a key under a lock": (
        "H05",
        'op.execute("LOCK orders, customers")\nop.create_index("i", "orders", ["placed"])\n'
        'op.create_foreign_key("k", "orders", "customers", ["number"], ["id"])',
    ),
    "a key": ("H04", 'op.create_foreign_key("k", "orders", "customers", ["number"], ["id"])'),
    "a key with its column": (
        "H04",
        'op.execute("ALTER TABLE orders ADD COLUMN c int DEFAULT 1 REFERENCES customers")',
    ),
    "a check": ("H04", 'op.create_check_constraint(op.f("c"), "orders", "total > 0")'),
    "a unique constraint": ("H04", 'op.create_unique_constraint("u", "orders", ["number"])'),
    "another type": ("H01", 'op.alter_column("orders", "number", type_=sa.BigInteger())'),
    "a smaller number": ("H07", 'op.execute("ALTER TABLE customers ALTER COLUMN credit TYPE numeric(8,2)")'),
    "half a double": ("H07", 'op.execute("ALTER TABLE customers ALTER COLUMN credit TYPE real")'),
    "a shorter text": ("H07", 'op.execute("ALTER TABLE customers ALTER COLUMN nickname TYPE varchar(20)")'),
    "another enum": (
        "H01",
        'op.execute("DROP VIEW paid; ALTER TYPE state RENAME TO old")\n'
        """op.execute("CREATE TYPE state AS ENUM ('new', 'paid', 'sent', 'lost')")\n"""
        'op.execute("ALTER TABLE orders ALTER state DROP DEFAULT, ALTER state TYPE state USING state::text::state,'
        """ ALTER state SET DEFAULT 'new'")""",
    ),
    "VACUUM FULL": ("H01", f'{_ALONE}op.execute("VACUUM FULL orders -- truncate")'),
    "two indexes": (
        "H11",
        "\n".join(
            [_ALONE.strip()]
            + [f'    op.execute("CREATE INDEX CONCURRENTLY i{n} ON orders (placed)")' for n in range(2)]
        ),
    ),
    "a required column": (
        "H08",
        f'op.add_column("orders", {_REQUIRED})\nop.alter_column("orders", "n", server_default=None)',
    ),
    "a required column in SQL": (
        "H08",
        'op.execute("ALTER TABLE orders ADD COLUMN n int NOT NULL DEFAULT 0")\n'
        'op.execute("ALTER TABLE orders ALTER n DROP DEFAULT")',
    ),
    "a column that becomes required at once": (
        "H08",
        'op.execute("ALTER TABLE orders ADD COLUMN n int DEFAULT 0")\n'
        'op.execute("ALTER TABLE orders ALTER COLUMN n SET NOT NULL, ALTER COLUMN n DROP DEFAULT")',
    ),
    "a required column in two statements of one text": (
        "H08",
        'op.execute("ALTER TABLE orders ADD COLUMN n int NOT NULL DEFAULT 0; ALTER TABLE orders ALTER n DROP DEFAULT")',
    ),
    "a required column later": (
        "H08",
        f'op.add_column("orders", {_REQUIRED}){_LATER}op.alter_column("orders", "n", server_default=None)',
    ),
    "a column that becomes required": (
        "H08",
        'op.execute("ALTER TABLE orders ADD COLUMN n int DEFAULT 0")\n'
        'op.execute("ALTER TABLE orders ALTER n DROP DEFAULT, ALTER n SET NOT NULL")',
    ),
    "no default": ("H08", 'op.alter_column("orders", "state", server_default=None)'),
    "no column": ("H08", 'op.drop_column("customers", "address")'),
    "another name": ("H08", 'op.alter_column("customers", "address", new_column_name="email")'),
    "no table": ("H07", 'op.drop_table("archive")'),
    "no partition": ("H08", 'op.execute("ALTER TABLE visits DETACH PARTITION visits_2026")'),
    "no partition, CONCURRENTLY": (
        "H08",
        f'{_ALONE}op.execute("ALTER TABLE visits DETACH PARTITION visits_2026 CONCURRENTLY")',
    ),
    "guarded rows": ("H08", 'op.execute("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")'),
    "no right": ("H08", 'op.execute("REVOKE INSERT, UPDATE ON TABLE public.orders FROM PUBLIC")'),
    "no right at all": ("H08", 'op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC")'),
    "no right in a schema": ("H08", 'op.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")'),
    "no function": ("H08", 'op.execute("DROP FUNCTION IF EXISTS tax(int)")'),
    "no rows": ("H07", 'op.execute("DELETE FROM archive WHERE true")'),
    "no rows, as the comment says": ("H07", 'op.execute("DELETE FROM archive -- where they are old")'),
    "some rows": ("H07", """op.execute("DELETE FROM orders WHERE state = 'sent'")"""),
    "an emptied table": ("H07", 'op.execute("DO $$ BEGIN TRUNCATE archive; END $$")'),
    "rows of a swap": (
        "H07",
        'op.execute("ALTER TABLE orders ADD t bigint, DROP total CASCADE")\n'
        'op.execute("ALTER TABLE orders RENAME t TO total")',
    ),
    "a column of either kind": (
        "H09",
        _NEW + 'sa.Computed("a")))',
    ),
    "a whole table": (
        "H06",
        'op.execute(\'UPDATE orders SET total = 0\')\nop.add_column("orders", sa.Column("n", sa.Text()))',
    ),
}
"""The hazard that each of these has."""

DOWN = {
    "all": ("", 'op.add_column("orders", sa.Column("a", sa.Text()))', 'op.drop_column("orders", "a")'),
    "a column that stays": ("warn", 'op.add_column("orders", sa.Column("b", sa.Text()))', "pass"),
    "all but the column above": ("", 'op.create_index("i", "orders", ["total"])', 'op.drop_index("i")'),
    "a value": ("note", """op.execute("ALTER TYPE state ADD VALUE 'lost'")""", "pass"),
    "a type": (
        "warn",
        'op.create_table("p", sa.Column("c", sa.Enum("red", name="color")))',
        'op.drop_table("p")',
    ),
    "a constraint": (
        "",
        'op.create_check_constraint(op.f("c"), "orders", "id > 0", postgresql_not_valid=True)',
        'op.drop_constraint(op.f("c"), "orders")',
    ),
    "what it became": ("", 'op.execute("ALTER TABLE orders VALIDATE CONSTRAINT c")', "pass"),
    "an index": ("", 'op.execute("CREATE UNIQUE INDEX u ON orders (number)")', 'op.execute("DROP INDEX IF EXISTS u")'),
    "an index of a constraint": (
        "",
        'op.execute("ALTER TABLE orders ADD CONSTRAINT uq UNIQUE USING INDEX u")',
        'op.drop_constraint("uq", "orders")',
    ),
    "nothing": ("", 'op.execute("SELECT 1")', "pass"),
}
"""Revisions on top of each other, each with the severity of what its downgrade leaves behind."""
