"""a shout"""

import sqlalchemy as sa
from alembic import op

revision = "bad_stored"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("customers", sa.Column("shout", sa.Text(), sa.Computed("upper(name)", persisted=True)))


def downgrade() -> None:
    op.drop_column("customers", "shout")
