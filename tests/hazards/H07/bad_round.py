"""credit in whole cents"""

import sqlalchemy as sa
from alembic import op

revision = "bad_round"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("customers", "credit", type_=sa.Numeric(12, 2))


def downgrade() -> None:
    op.alter_column("customers", "credit", type_=sa.Numeric(12, 4))
