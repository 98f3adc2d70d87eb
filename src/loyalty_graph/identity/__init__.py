"""Who asks: viewers, partners and their API tokens."""
