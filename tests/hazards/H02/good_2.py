"""check old totals"""

from alembic import op

revision = "good_2"
down_revision = "good_1"


def upgrade() -> None:
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck_orders_total")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_orders_total"), "orders")
    op.create_check_constraint(op.f("ck_orders_total"), "orders", "total >= 0", postgresql_not_valid=True)
