"""daily"""

from alembic import op

revision = "2"
down_revision = "1"


def upgrade():
    op.execute("CREATE VIEW tracking.daily AS SELECT at::date AS day, kind, count(*) FROM tracking.event GROUP BY 1, 2")


def downgrade():
    op.execute("DROP VIEW tracking.daily")
