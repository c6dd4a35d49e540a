"""allow larger totals"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("orders", "number", type_=sa.BigInteger())


def downgrade() -> None:
    op.alter_column("orders", "number", type_=sa.Integer())
