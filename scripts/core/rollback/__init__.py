"""Rollbacks: which rows a downgrade deletes, and whether a revision can be undone."""
