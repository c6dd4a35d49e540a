"""old orders belong to customers"""

from alembic import op

revision = "good_2"
down_revision = "good_1"


def upgrade() -> None:
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT fk_orders_customer")


def downgrade() -> None:
    op.drop_constraint("fk_orders_customer", "orders")
    op.create_foreign_key(
        "fk_orders_customer", "orders", "customers", ["customer_id"], ["id"], postgresql_not_valid=True
    )
