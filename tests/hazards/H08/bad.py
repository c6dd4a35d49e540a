"""call it mail"""

from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("customers", "address", new_column_name="mail")


def downgrade() -> None:
    op.alter_column("customers", "mail", new_column_name="address")
