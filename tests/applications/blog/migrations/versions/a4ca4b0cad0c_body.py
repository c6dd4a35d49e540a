"""body

Revision ID: a4ca4b0cad0c
Revises: dad85b13f369
Create Date: 2026-11-28 03:36:06.068732

"""

import sqlalchemy as sa
from alembic import op

revision = "a4ca4b0cad0c"
down_revision = "dad85b13f369"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.add_column(sa.Column("body", sa.String(), nullable=True))


def downgrade():
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.drop_column("body")
