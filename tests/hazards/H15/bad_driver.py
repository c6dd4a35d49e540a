"""customers without a name, by the driver"""

import os

import psycopg2

revision = "bad_driver"
down_revision = "shop"


def upgrade() -> None:
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.cursor().execute("SELECT count(*) FROM customers")
    connection.close()


def downgrade() -> None:
    pass
