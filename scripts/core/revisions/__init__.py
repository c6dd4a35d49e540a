"""The project's own files: revisions and models, and the log of the steps that were applied."""
