"""Rows: hashes of their contents, ranges of keys, and what a downgrade would delete."""
