"""no customers"""

from alembic import op

revision = "bad_drop"
down_revision = "shop"


def upgrade() -> None:
    op.drop_table("customers")


def downgrade() -> None:
    raise NotImplementedError("customers are gone")
