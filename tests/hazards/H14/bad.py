"""a column, and an index without a transaction"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("note", sa.Text()))
    op.execute("COMMIT")
    op.create_index("ix_orders_note", "orders", ["note"], postgresql_concurrently=True, if_not_exists=True)


def downgrade() -> None:
    op.drop_column("orders", "note")
