"""values, and a column"""

import sqlalchemy as sa
from alembic import op

revision = "good_label"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE state ADD VALUE IF NOT EXISTS 'returned'")
        op.execute("ALTER TYPE state ADD VALUE IF NOT EXISTS 'refused' AFTER 'returned'")
    op.add_column("orders", sa.Column("note", sa.Text()))


def downgrade() -> None:
    op.drop_column("orders", "note")
