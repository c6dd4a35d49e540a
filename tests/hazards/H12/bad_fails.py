"""orders can have a remark"""

import sqlalchemy as sa
from alembic import op

revision = "bad_fails"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("remark", sa.Text()))


def downgrade() -> None:
    op.drop_column("orders", "remarks")
