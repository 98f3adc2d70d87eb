import pytest

from loyalty_graph.pauses import chance, full_jitter_s


@pytest.mark.parametrize(
    ("failures", "chance_", "seconds"),
    [(0, 0.5, 0.25), (1, 0.5, 0.5), (2, 0.5, 1.0), (10**9, 0.5, 15.0), (3, 0.0, 0.0)],
)
def test_pauses_double_up_to_the_longest(failures: int, chance_: float, seconds: float):
    assert full_jitter_s(failures, first_s=0.5, longest_s=30.0, chance=chance_) == seconds


def test_chances_lie_between_nothing_and_one():
    drawn = [chance() for _ in range(100)]

    assert all(0 <= one < 1 for one in drawn)
    assert len(set(drawn)) > 1
