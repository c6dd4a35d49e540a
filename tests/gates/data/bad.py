"""larger points, which get smaller by the way

rows changed in customers, although no statement wrote them
customers: 50 rows before, 50 after; other contents in points
"""

from alembic import op

revision = "bad"
down_revision = "start"


def upgrade() -> None:
    op.execute("ALTER TABLE customers ALTER points TYPE integer USING points / 100")


def downgrade() -> None:
    pass
