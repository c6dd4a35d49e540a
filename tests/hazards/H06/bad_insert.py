"""numbers of customers"""

import sqlalchemy as sa
from alembic import op

revision = "bad_insert"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("customers", sa.Column("orders", sa.Integer()))
    op.execute("INSERT INTO customers (name) SELECT number::text FROM orders")


def downgrade() -> None:
    op.drop_column("customers", "orders")
