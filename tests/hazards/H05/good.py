"""columns of two tables"""

import sqlalchemy as sa
from alembic import op

revision = "good"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("customers", sa.Column("age", sa.Integer()))
    op.add_column("orders", sa.Column("note", sa.Text()))
    op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade() -> None:
    op.drop_table("notes")
    op.drop_column("orders", "note")
    op.drop_column("customers", "age")
