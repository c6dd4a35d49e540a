"""Schemas: a reading of the catalogs, its fingerprint, and what differs between two of them."""
