"""a number once"""

from alembic import op

revision = "bad_unique"
down_revision = "shop"


def upgrade() -> None:
    op.create_unique_constraint("uq_orders_number", "orders", ["number"])


def downgrade() -> None:
    op.drop_constraint("uq_orders_number", "orders")
