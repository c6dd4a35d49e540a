"""find orders by number"""

from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.create_index("ix_orders_number", "orders", ["number"])


def downgrade() -> None:
    op.drop_index("ix_orders_number")
