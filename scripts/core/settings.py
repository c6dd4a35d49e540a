"""The application's settings, with their faults told as every other error is."""

from app.settings import Settings, SettingsError
from app.settings import load as load_settings
from scripts.core.errors import USAGE, UserError

__all__ = ["Settings", "load"]


def load() -> Settings:
    """The settings of this checkout. Raises UserError with every fault in one list, and the file that was read."""
    try:
        return load_settings()
    except SettingsError as error:
        faults = "".join(f"\n    {fault}" for fault in error.faults)
        raise UserError(
            f"The settings are not right. Read from {error.source}:{faults}",
            do="correct .env; .env.example explains every variable",
            code=USAGE,
        ) from error
