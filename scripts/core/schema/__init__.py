"""Schemas: a reading of the catalogs, its fingerprint, and the differences between two of them."""
