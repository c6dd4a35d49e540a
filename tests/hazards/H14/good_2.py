"""an index without a transaction"""

from alembic import op

revision = "good_2"
down_revision = "good_1"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_orders_note", "orders", ["note"], postgresql_concurrently=True, if_not_exists=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_orders_note", postgresql_concurrently=True)
