"""a savepoint is no commit"""

import sqlalchemy as sa
from alembic import op

revision = "good_savepoint"
down_revision = "shop"


def upgrade() -> None:
    with op.get_bind().begin_nested():
        op.add_column("orders", sa.Column("note", sa.Text()))


def downgrade() -> None:
    op.drop_column("orders", "note")
