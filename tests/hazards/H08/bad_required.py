"""orders have a channel"""

import sqlalchemy as sa
from alembic import op

revision = "bad_required"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("channel", sa.Text(), nullable=False))


def downgrade() -> None:
    op.drop_column("orders", "channel")
