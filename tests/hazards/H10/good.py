"""orders can come back"""

from alembic import op

revision = "good"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TYPE state ADD VALUE IF NOT EXISTS 'returned'")


def downgrade() -> None:
    raise NotImplementedError("a value of an enum cannot be removed")
