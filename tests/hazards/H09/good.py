"""new orders have a key"""

import sqlalchemy as sa
from alembic import op

revision = "good"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("key", sa.Uuid()))
    op.alter_column("orders", "key", server_default=sa.text("gen_random_uuid()"))
    op.add_column("orders", sa.Column("seen", sa.DateTime(timezone=True), server_default=sa.func.now()))


def downgrade() -> None:
    op.drop_column("orders", "seen")
    op.drop_column("orders", "key")
