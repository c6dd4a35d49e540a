"""no orders"""

from alembic import op

revision = "bad_delete"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DELETE FROM orders")


def downgrade() -> None:
    pass
