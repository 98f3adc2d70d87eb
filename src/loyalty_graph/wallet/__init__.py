"""The phone's wallet: a member's card as a signed Apple Wallet pass file, built and checked.

From a card face to bytes: `face` (what a card shows) -> `templates` (how it looks) -> `apple_pass`
(the pass model) -> `archive` and `signing` (the pass file). `checking` takes one apart again
and trusts nothing. `development_ca` stands in where there is no certificate from Apple.
"""
