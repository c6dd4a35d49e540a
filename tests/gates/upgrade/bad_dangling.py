"""every order has its customer

insert or update on table "orders" violates foreign key constraint
The statement fails for 5 rows of orders.
Their keys (id): 1; 2; 3; 4; 5
"""

from alembic import op

revision = "bad_dangling"
down_revision = "start"


def upgrade() -> None:
    op.create_foreign_key("fk_orders_customer_id_customers", "orders", "customers", ["customer_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint("fk_orders_customer_id_customers", "orders")
