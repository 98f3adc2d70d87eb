"""The points ledger: transfers that never change, lots that are spent soonest-to-expire first."""
