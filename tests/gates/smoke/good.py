"""more points for everybody"""

from alembic import op

revision = "good"
down_revision = "start"


def upgrade() -> None:
    op.execute("UPDATE customers SET points = points + 10 WHERE points > 0")


def downgrade() -> None:
    op.execute("UPDATE customers SET points = points - 10 WHERE points > 10")
