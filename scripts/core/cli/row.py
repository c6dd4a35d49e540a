"""A line below what is printed, which is kept up to date."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    text: str
    style: str = ""
    """bold, dim, red, green or yellow."""
    is_running: bool = False
    """Whether it begins with a spinner."""
    progress: tuple[int, int, str] | None = None
    """How many are done, how many there are, and of what."""
