"""notes on customers"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("customer_id", sa.Integer(), sa.ForeignKey("customers.id")),
    )


def downgrade() -> None:
    op.drop_table("notes")
