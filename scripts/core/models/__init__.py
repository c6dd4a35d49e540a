"""The models: the schema that they describe, built and compared with that of the revision files."""
