"""Tiers: the levels members reach by what they buy, and what decides when they rise and fall."""
