"""Verbs: what one can do with the schema. One script per make target; each only parses, calls core, prints."""
