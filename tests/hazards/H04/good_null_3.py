"""PostgreSQL knows that every order has a total"""

from alembic import op

revision = "good_null_3"
down_revision = "good_null_2"


def upgrade() -> None:
    op.alter_column("orders", "total", nullable=False)
    op.drop_constraint(op.f("ck_total"), "orders")


def downgrade() -> None:
    op.alter_column("orders", "total", nullable=True)
    op.create_check_constraint(op.f("ck_total"), "orders", "total IS NOT NULL", postgresql_not_valid=True)
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck_total")
