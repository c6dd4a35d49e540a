"""every order has a note"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("note", sa.Text()))
    op.execute("UPDATE orders SET note = ''")


def downgrade() -> None:
    op.drop_column("orders", "note")
