"""a column, and an index on another table"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("customers", sa.Column("age", sa.Integer()))
    op.create_index("ix_orders_number", "orders", ["number"])


def downgrade() -> None:
    op.drop_index("ix_orders_number")
    op.drop_column("customers", "age")
