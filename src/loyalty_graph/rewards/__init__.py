"""Rewards: what points can be given for, the redemptions of it, and vouchers with money on them."""
