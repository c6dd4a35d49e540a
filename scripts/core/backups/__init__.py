"""Backups. Each is a folder with a dump, the roles, and a manifest. The manifest is written last and lists the rest."""
