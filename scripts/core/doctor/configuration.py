"""Checks of the settings and of the files that configure the tools."""

from scripts.core import env_file
from scripts.core.doctor.facts import Facts


def read(facts: Facts) -> str:
    """Return which .env was read, and which settings the environment has overridden."""
    target = facts.target.require()
    in_file = env_file.read(env_file.ENV_FILE).values if env_file.ENV_FILE.is_file() else {}
    over = sorted(name for name, value in in_file.items() if target.values.get(name, value) != value)
    return f"read from {target.source}" + (f"; the environment wins for {', '.join(over)}" if over else "")
