"""a commit of the driver"""

import sqlalchemy as sa
from alembic import op

revision = "bad_driver"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("orders", sa.Column("note", sa.Text()))
    op.get_bind().connection.commit()


def downgrade() -> None:
    op.drop_column("orders", "note")
