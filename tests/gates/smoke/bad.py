"""fewer points for everybody, for some too few

negative_points.sql: returned 9 rows
"""

from alembic import op

revision = "bad"
down_revision = "start"


def upgrade() -> None:
    op.execute("UPDATE customers SET points = points - 10 WHERE points > 0")


def downgrade() -> None:
    op.execute("UPDATE customers SET points = points + 10 WHERE points > -10")
