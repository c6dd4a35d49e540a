"""every order will have a total"""

from alembic import op

revision = "good_null_1"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("orders", "total", server_default="0")
    op.create_check_constraint(op.f("ck_total"), "orders", "total IS NOT NULL", postgresql_not_valid=True)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_total"), "orders")
    op.alter_column("orders", "total", server_default=None)
