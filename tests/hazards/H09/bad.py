"""orders have a key"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("key", sa.Uuid(), server_default=sa.text("gen_random_uuid()")))


def downgrade() -> None:
    op.drop_column("orders", "key")
