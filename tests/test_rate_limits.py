"""How often something may be asked."""

from datetime import timedelta

from loyalty_graph.rate_limits import RateLimit
from tests.shop import NOON

SECOND, MINUTE, NO_WAIT = timedelta(seconds=1), timedelta(minutes=1), timedelta(0)


def test_as_many_calls_as_allowed_pass_at_once_and_the_next_one_waits():
    limit = RateLimit(3, per=MINUTE)

    waits = [limit.wait("a", now=NOON) for _ in range(4)]

    assert waits == [NO_WAIT, NO_WAIT, NO_WAIT, 20 * SECOND]


def test_who_waited_that_long_may_call_once_more():
    limit = RateLimit(3, per=MINUTE)
    for _ in range(3):
        limit.wait("a", now=NOON)

    waits = [limit.wait("a", now=NOON + 20 * SECOND) for _ in range(2)]

    assert waits == [NO_WAIT, 20 * SECOND]


def test_calls_that_were_refused_are_not_counted():
    limit = RateLimit(1, per=MINUTE)
    limit.wait("a", now=NOON)

    waits = [limit.wait("a", now=NOON + 59 * SECOND) for _ in range(5)]

    assert waits == [SECOND] * 5
    assert limit.wait("a", now=NOON + MINUTE) == NO_WAIT


def test_keys_do_not_share_a_limit():
    limit = RateLimit(1, per=MINUTE)

    assert [limit.wait(key, now=NOON) for key in ("a", "b", "a")] == [NO_WAIT, NO_WAIT, MINUTE]


def test_the_key_used_longest_ago_is_forgotten_first():
    limit = RateLimit(1, per=MINUTE, keys_max=2)

    for key in ("a", "b", "c"):
        limit.wait(key, now=NOON)

    assert [limit.wait(key, now=NOON) for key in ("b", "c", "a")] == [MINUTE, MINUTE, NO_WAIT]


def test_a_clock_that_was_an_hour_ahead_holds_nobody_up_for_an_hour():
    limit = RateLimit(3, per=MINUTE)
    for _ in range(3):
        limit.wait("a", now=NOON + 60 * MINUTE)

    waits = [limit.wait("a", now=NOON) for _ in range(4)]

    assert waits == [NO_WAIT, NO_WAIT, NO_WAIT, 20 * SECOND]
