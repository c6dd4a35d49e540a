"""a commit of the connection"""

import sqlalchemy as sa
from alembic import op

revision = "bad_connection"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("note", sa.Text()))
    op.get_bind().commit()
    op.add_column("orders", sa.Column("remark", sa.Text()))


def downgrade() -> None:
    op.drop_column("orders", "remark")
    op.drop_column("orders", "note")
