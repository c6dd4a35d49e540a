"""every order has a total"""

from alembic import op

revision = "bad_not_null"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("orders", "total", nullable=False, server_default="0")


def downgrade() -> None:
    op.alter_column("orders", "total", nullable=True, server_default=None)
