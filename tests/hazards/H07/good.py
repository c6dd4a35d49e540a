"""allow longer nicknames"""

import sqlalchemy as sa
from alembic import op

revision = "good"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("customers", "nickname", type_=sa.Text())


def downgrade() -> None:
    op.alter_column("customers", "nickname", type_=sa.String(100))
