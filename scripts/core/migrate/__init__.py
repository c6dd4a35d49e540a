"""The runner behind alembic/env.py: guards, retries, transactions, and what is said when a step fails."""
