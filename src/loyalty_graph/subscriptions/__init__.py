"""Paid memberships: plans, the course of a member's subscription, and who collects the fee."""
