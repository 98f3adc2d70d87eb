"""Purchases and their refunds: what members bought, and what they brought back."""
