"""Earning: how many points a purchase is worth, and why."""
