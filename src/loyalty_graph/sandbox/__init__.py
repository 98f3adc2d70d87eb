"""What stands in for the outside world when the product shows or tests itself."""
