"""The terminal: parsing arguments, printing, and turning errors into exit codes."""
