"""What the nightly suite says of memory."""

from bench.nightly import peaks


def test_each_half_has_its_peak():
    assert peaks([1, 5, 2, 3, 4]) == (5, 4)
