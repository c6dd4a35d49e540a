"""count orders under a lock"""

from alembic import op

revision = "bad_count"
down_revision = "shop"


def upgrade() -> None:
    op.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    op.execute("SELECT count(*) FROM orders")


def downgrade() -> None:
    pass
