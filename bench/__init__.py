"""What is measured, each against a named limit or peer in the same run: `python -m bench`."""
