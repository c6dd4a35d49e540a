"""no visits"""

from alembic import op

revision = "bad_truncate"
down_revision = "shop"


def upgrade() -> None:
    op.execute("TRUNCATE visits_2026")


def downgrade() -> None:
    pass
