"""one more column, put into the file that ran, which got another id

The database is at revision start, which has no file
"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = None


def upgrade() -> None:
    op.create_table("customers", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("note", sa.Text()))


def downgrade() -> None:
    op.drop_table("customers")
