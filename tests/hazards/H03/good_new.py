"""a table that nobody uses yet"""

import sqlalchemy as sa
from alembic import op

revision = "good_new"
down_revision = "shop"


def upgrade() -> None:
    op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("body", sa.Text()))
    op.create_index("ix_notes_body", "notes", ["body"])


def downgrade() -> None:
    op.drop_table("notes")
