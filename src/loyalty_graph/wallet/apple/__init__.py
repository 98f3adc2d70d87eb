"""Apple Wallet: the pass file, its signature, and what checks both.

`card` (the pass model and its printer) -> `archive` and `signing` (the pass file). `checking` takes
one apart again and trusts nothing. `development_ca` stands in where there is no certificate from
Apple. `models` are the devices that hold passes.
"""
