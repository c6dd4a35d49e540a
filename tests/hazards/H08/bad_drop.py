"""no nickname"""

import sqlalchemy as sa
from alembic import op

revision = "bad_drop"
down_revision = "shop"


def upgrade() -> None:
    op.drop_column("customers", "nickname")


def downgrade() -> None:
    op.add_column("customers", sa.Column("nickname", sa.String(100)))
