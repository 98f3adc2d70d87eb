"""Use cases that need several packages: what a door calls, one transaction each."""
