"""The report of a verification in REPORT_DIR: report.json, and summary.md and index.html, which are made from it."""

FORMAT = 1
FILE = "report.json"
