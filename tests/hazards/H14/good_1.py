"""orders can have a note"""

import sqlalchemy as sa
from alembic import op

revision = "good_1"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("note", sa.Text()))


def downgrade() -> None:
    op.drop_column("orders", "note")
