"""What accountants and managers ask of a programme: figures that add up to the ledger."""
