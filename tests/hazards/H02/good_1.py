"""check new totals"""

from alembic import op

revision = "good_1"
down_revision = "shop"


def upgrade() -> None:
    op.create_check_constraint(op.f("ck_orders_total"), "orders", "total >= 0", postgresql_not_valid=True)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_orders_total"), "orders")
