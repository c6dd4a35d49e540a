"""orders belong to customers"""

from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.create_foreign_key("fk_orders_customer", "orders", "customers", ["customer_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint("fk_orders_customer", "orders")
