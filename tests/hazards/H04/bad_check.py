"""no total below nothing"""

from alembic import op

revision = "bad_check"
down_revision = "shop"


def upgrade() -> None:
    op.create_check_constraint(op.f("ck_orders_total"), "orders", "total >= 0")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_orders_total"), "orders")
