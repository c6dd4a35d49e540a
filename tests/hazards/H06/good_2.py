"""every order has a note"""

import sqlalchemy as sa
from alembic import op

revision = "good_2"
down_revision = "good_1"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        last = op.get_bind().scalar(sa.text("SELECT max(id) FROM orders")) or 20_000
        for first in range(0, last + 1, 10_000):
            op.get_bind().execute(
                sa.text("UPDATE orders SET note = '' WHERE id BETWEEN :first AND :first + 9999"), {"first": first}
            )


def downgrade() -> None:
    pass
