"""How long to wait before something is tried again."""

import random

_dice = random.SystemRandom()
DOUBLINGS_MAX = 64


def chance() -> float:
    """Return a random number, at least 0 and less than 1."""
    return _dice.random()


def full_jitter_s(failures: int, *, first_s: float, longest_s: float, chance: float) -> float:
    """Return how many seconds to wait after so many failures in a row.

    Anything up to the doubled first pause, capped, so that those who met do not meet again.
    Source: AWS Architecture Blog, "Exponential Backoff And Jitter", 2015.

    Args:
        failures: How many came before this one.
        first_s: The longest first pause.
        longest_s: The longest of all.
        chance: At least 0, less than 1.
    """
    return chance * min(longest_s, first_s * 2.0 ** min(failures, DOUBLINGS_MAX))
