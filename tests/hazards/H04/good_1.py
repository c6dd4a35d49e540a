"""new orders belong to customers"""

from alembic import op

revision = "good_1"
down_revision = "shop"


def upgrade() -> None:
    op.create_foreign_key(
        "fk_orders_customer", "orders", "customers", ["customer_id"], ["id"], postgresql_not_valid=True
    )


def downgrade() -> None:
    op.drop_constraint("fk_orders_customer", "orders")
