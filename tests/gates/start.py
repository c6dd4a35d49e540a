"""a shop, with rows as they are in life: some twice, some missing, some long"""

import sqlalchemy as sa
from alembic import op

revision = "start"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("email", sa.String(80), nullable=False),
        sa.Column("name", sa.String(80)),
        sa.Column("phone", sa.String(40), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
    )
    op.execute(
        "INSERT INTO customers (email, name, phone, points) SELECT 'secret' || n % 40 || '@example.com',"
        " CASE WHEN n % 10 > 0 THEN 'secret' || n END, CASE WHEN n % 25 > 0 THEN '0049' ELSE repeat('secret', 5) END, n"
        " FROM generate_series(1, 50) n"
    )
    op.execute(
        "INSERT INTO orders (customer_id, state)"
        " SELECT CASE WHEN n > 5 THEN 1 + n % 50 ELSE 1000 + n END, 'secret' FROM generate_series(1, 2000) n"
    )


def downgrade() -> None:
    op.drop_table("orders")
    op.drop_table("customers")
