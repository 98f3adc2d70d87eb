"""Loyalty Graph: a points ledger, a GraphQL API, and wallet cards that follow the balance."""

__version__ = "0.1.0"
