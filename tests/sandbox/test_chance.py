"""What decides simulated events."""

from hashlib import sha256

from loyalty_graph.sandbox.chance import Chance


def test_a_number_depends_on_seed_purpose_and_what_it_is_about():
    chance = Chance(1)

    assert chance.number("returned", 7) == int.from_bytes(sha256(b"1:returned:7").digest()[:8])
    assert chance.number("reward", 7, "2026-01") == chance.number("reward", 7, "2026-01")
    others = (Chance(2).number("returned", 7), chance.number("held", 7), chance.number("held", 8))
    assert len({chance.number("returned", 7), *others}) == 4


def test_one_in_so_many_falls():
    chance = Chance(1)

    fallen = [number for number in range(1000) if chance.falls(10, "held", number)]

    assert fallen == [n for n in range(1000) if chance.number("held", n) % 10 == 0]
    assert 70 < len(fallen) < 130
