"""What a verification leaves in REPORT_DIR: report.json, and summary.md and index.html, which are made of it."""

FORMAT = 1
FILE = "report.json"
