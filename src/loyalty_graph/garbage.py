"""How often a running program looks for garbage that refers to itself: rarely."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# A batch makes some ten thousand objects and drops them all, in cycles only where something failed.
ALLOCATIONS_BETWEEN = 50_000


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Leave alone what is there already, such as modules, and look at what is new now and then."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_BETWEEN, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
