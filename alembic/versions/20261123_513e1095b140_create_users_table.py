"""create users table

Revision: 513e1095b140
Revises: nothing
Created: 2026-11-23 00:38:59.594897+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "513e1095b140"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=50), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )


def downgrade() -> None:
    op.drop_table("users")
