"""customers have a nickname"""

from alembic import op

revision = "bad_not_null"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("customers", "nickname", nullable=False)


def downgrade() -> None:
    op.alter_column("customers", "nickname", nullable=True)
