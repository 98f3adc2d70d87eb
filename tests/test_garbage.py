"""How often garbage is looked for, and that it is as before afterwards."""

import gc

from loyalty_graph.garbage import ALLOCATIONS_BETWEEN, collected_rarely


def test_while_a_program_runs_garbage_is_looked_for_rarely_and_only_among_what_is_new():
    before = gc.get_threshold()

    with collected_rarely():
        assert gc.get_threshold() == (ALLOCATIONS_BETWEEN, *before[1:])
        assert gc.get_freeze_count() > 0

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
