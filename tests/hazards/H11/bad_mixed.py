"""a column and an index"""

import sqlalchemy as sa
from alembic import op

revision = "bad_mixed"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("note", sa.Text()))
    with op.get_context().autocommit_block():
        op.create_index("ix_orders_note", "orders", ["note"], postgresql_concurrently=True, if_not_exists=True)


def downgrade() -> None:
    op.drop_column("orders", "note")
