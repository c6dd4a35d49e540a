"""an index that is there already the second time"""

from alembic import op

revision = "bad_again"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_orders_number", "orders", ["number"], postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_index("ix_orders_number")
