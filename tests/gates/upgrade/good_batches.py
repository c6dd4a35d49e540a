"""a backfill of a large table, a part at a time"""

from alembic import op

revision = "good_batches"
down_revision = "start"

ROWS, PART = 2000, 500


def upgrade() -> None:
    replace("secret", "new")


def downgrade() -> None:
    replace("new", "secret")


def replace(state: str, other: str) -> None:
    with op.get_context().autocommit_block():
        for start in range(0, ROWS, PART):
            op.execute(
                f"UPDATE orders SET state = '{other}' WHERE id > {start} AND id <= {start + PART} AND state = '{state}'"
            )
