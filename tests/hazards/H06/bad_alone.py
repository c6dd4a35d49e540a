"""one long update"""

from alembic import op

revision = "bad_alone"
down_revision = "shop"


def upgrade() -> None:
    op.execute("UPDATE orders SET total = 0 WHERE total IS NULL")


def downgrade() -> None:
    pass
