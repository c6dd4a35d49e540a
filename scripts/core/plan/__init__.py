"""Pending revisions, run on the scratch server before they run anywhere else, and what was found there."""
