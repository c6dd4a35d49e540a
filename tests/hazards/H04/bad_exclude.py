"""a number once, the long way"""

from alembic import op

revision = "bad_exclude"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD CONSTRAINT ex_number EXCLUDE USING btree (number WITH =)")


def downgrade() -> None:
    op.drop_constraint("ex_number", "orders")
