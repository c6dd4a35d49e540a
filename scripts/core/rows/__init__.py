"""Rows: hashes of their contents, ranges of keys, and the rows that a downgrade would delete."""
