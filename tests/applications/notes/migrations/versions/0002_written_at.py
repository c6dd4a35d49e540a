"""written at"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    written = sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
    op.add_column("notes", written)
    op.create_index("ix_notes_written_at", "notes", ["written_at"])
    # asyncpg sends both as they are. Another driver would read the first as a value, and the second as one sign.
    op.get_bind().exec_driver_sql("UPDATE notes SET text = text || '5 %' WHERE false")
    op.get_bind().exec_driver_sql("UPDATE notes SET text = text || '5 %%' WHERE false")


def downgrade():
    op.drop_column("notes", "written_at")
