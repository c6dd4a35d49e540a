"""call them clients, and leave the old name"""

from alembic import op

revision = "good"
down_revision = "shop"


def upgrade() -> None:
    op.rename_table("customers", "clients")
    op.execute("CREATE VIEW customers AS SELECT * FROM clients")


def downgrade() -> None:
    op.execute("DROP VIEW customers")
    op.rename_table("clients", "customers")
