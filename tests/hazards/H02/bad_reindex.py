"""make the indexes of orders anew"""

from alembic import op

revision = "bad_reindex"
down_revision = "shop"


def upgrade() -> None:
    op.execute("REINDEX TABLE orders")


def downgrade() -> None:
    pass
