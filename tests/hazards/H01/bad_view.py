"""bring totals up to date"""

from alembic import op

revision = "bad_view"
down_revision = "shop"


def upgrade() -> None:
    op.execute("REFRESH MATERIALIZED VIEW totals")


def downgrade() -> None:
    pass
