"""create social tables

Revision: a4b8f234fc7c
Revises: 513e1095b140
Created: 2026-11-23 00:39:02.173322+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "a4b8f234fc7c"
down_revision = "513e1095b140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "social_accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(length=50), nullable=False),
        sa.Column("handle", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_social_accounts_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_social_accounts")),
    )
    op.create_index(op.f("ix_social_accounts_user_id"), "social_accounts", ["user_id"], unique=False)
    op.create_table(
        "social_pages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["social_accounts.id"], name=op.f("fk_social_pages_account_id_social_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_social_pages")),
    )
    op.create_index(op.f("ix_social_pages_account_id"), "social_pages", ["account_id"], unique=False)
    op.create_table(
        "social_posts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("page_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["page_id"], ["social_pages.id"], name=op.f("fk_social_posts_page_id_social_pages")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_social_posts")),
    )
    op.create_index(op.f("ix_social_posts_due_at"), "social_posts", ["due_at"], unique=False)
    op.create_index(op.f("ix_social_posts_page_id"), "social_posts", ["page_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_social_posts_page_id"), table_name="social_posts")
    op.drop_index(op.f("ix_social_posts_due_at"), table_name="social_posts")
    op.drop_table("social_posts")
    op.drop_index(op.f("ix_social_pages_account_id"), table_name="social_pages")
    op.drop_table("social_pages")
    op.drop_index(op.f("ix_social_accounts_user_id"), table_name="social_accounts")
    op.drop_table("social_accounts")
