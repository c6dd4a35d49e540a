"""find the orders of a customer in a large table

stopped by H03
"""

from alembic import op

revision = "bad_index"
down_revision = "start"


def upgrade() -> None:
    op.create_index("ix_orders_customer_id", "orders", ["customer_id"])


def downgrade() -> None:
    op.drop_index("ix_orders_customer_id")
