"""first

Revision ID: dad85b13f369
Revises:
Create Date: 2026-11-28 03:31:34.511211

"""

import sqlalchemy as sa
from alembic import op

revision = "dad85b13f369"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    author = op.create_table(
        "author",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "post",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["author.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table("drafts", sa.Column("id", sa.Integer(), nullable=False))
    op.bulk_insert(author, [{"name": "Ada"}, {"name": "Grace"}])


def downgrade():
    op.drop_table("drafts")
    op.drop_table("post")
    op.drop_table("author")
