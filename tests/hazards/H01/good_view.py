"""bring totals up to date while they are read"""

from alembic import op

revision = "good_view"
down_revision = "shop"


def upgrade() -> None:
    op.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY totals")


def downgrade() -> None:
    pass
