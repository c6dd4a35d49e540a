"""The project's revision files and models, and the log of the applied steps."""
