"""Backups: a folder for each, with a dump, the roles, and a manifest that is written last and says what is in it."""
