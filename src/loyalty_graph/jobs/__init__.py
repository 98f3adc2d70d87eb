"""Scheduled jobs: rows that are claimed with a lease and run at least once."""
