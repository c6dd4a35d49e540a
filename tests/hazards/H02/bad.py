"""check totals in the transaction that adds the check"""

from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.create_check_constraint(op.f("ck_orders_total"), "orders", "total >= 0", postgresql_not_valid=True)
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck_orders_total")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_orders_total"), "orders")
