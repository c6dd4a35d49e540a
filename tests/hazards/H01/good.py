"""allow larger totals in a new column"""

import sqlalchemy as sa
from alembic import op

revision = "good"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("total_new", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("orders", "total_new")
