"""a number once"""

from alembic import op

revision = "good_unique_2"
down_revision = "good_unique_1"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD CONSTRAINT uq_orders_number UNIQUE USING INDEX uq_orders_number")


def downgrade() -> None:
    op.drop_constraint("uq_orders_number", "orders")
    with op.get_context().autocommit_block():
        op.create_index("uq_orders_number", "orders", ["number"], unique=True, postgresql_concurrently=True)
