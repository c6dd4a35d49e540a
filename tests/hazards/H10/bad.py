"""paid is settled"""

from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TYPE state RENAME VALUE 'paid' TO 'settled'")


def downgrade() -> None:
    op.execute("ALTER TYPE state RENAME VALUE 'settled' TO 'paid'")
