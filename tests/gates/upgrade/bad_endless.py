"""a backfill that never ends

was still running after 1 s.
"""

from alembic import op

revision = "bad_endless"
down_revision = "start"


def upgrade() -> None:
    while True:
        op.execute("UPDATE customers SET points = points + 1 WHERE points < 0")


def downgrade() -> None:
    pass
