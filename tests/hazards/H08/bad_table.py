"""call them clients"""

from alembic import op

revision = "bad_table"
down_revision = "shop"


def upgrade() -> None:
    op.rename_table("customers", "clients")


def downgrade() -> None:
    op.rename_table("clients", "customers")
