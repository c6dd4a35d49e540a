"""every order has a total"""

from alembic import op

revision = "good_null_2"
down_revision = "good_null_1"


def upgrade() -> None:
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck_total")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_total"), "orders")
    op.create_check_constraint(op.f("ck_total"), "orders", "total IS NOT NULL", postgresql_not_valid=True)
