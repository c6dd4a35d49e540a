"""Nouns: what the verbs work on. Nothing here parses arguments, prints or exits; it returns a value or raises."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
