"""What the verbs work on. Outside cli/, nothing parses arguments, prints or exits: it returns a value or raises."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

if (ROOT / "alembic" / "__init__.py").exists():
    raise ImportError("alembic/__init__.py shadows the installed package: delete it")
