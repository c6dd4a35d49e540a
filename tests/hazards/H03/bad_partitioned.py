"""find visits by page"""

from alembic import op

revision = "bad_partitioned"
down_revision = "shop"


def upgrade() -> None:
    op.create_index("ix_visits_page", "visits", ["page"])


def downgrade() -> None:
    op.drop_index("ix_visits_page")
