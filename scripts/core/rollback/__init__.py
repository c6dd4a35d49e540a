"""Undoing revisions: which rows a downgrade deletes, and how writes are kept out meanwhile."""
