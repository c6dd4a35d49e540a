"""Plans: pending revisions run on the scratch server first, and the findings from that run."""
