"""What phones say went wrong: bounded, without tokens, and found again."""

from datetime import timedelta

import pytest

from loyalty_graph.wallet.apple import logs
from tests.shop import NOON

SERIAL, TOKEN, PUSH_TOKEN = "0123456789abcdef" * 2, "eYTpnWe9dbYiwJ-r5u90YjBgxSH0L1_W", "ab" * 32
DEVICE = "ceed8761e584e814ed4fe73cbb334ee9"
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("case", "line", "kept"),
    [
        (
            "as phones write it",
            f'Get serial task (pass {SERIAL}; Authorization = "ApplePass {TOKEN}";) failed: 401',
            f'Get serial task (pass {SERIAL}; Authorization = "ApplePass [removed]";) failed: 401',
        ),
        (
            "a device, whose id is its secret and looks like a serial",
            f"Unregister task (for device {DEVICE}, serial {SERIAL}) at /v1/devices/{DEVICE}/r/p",
            f"Unregister task (for device [removed], serial {SERIAL}) at /v1/devices/[removed]/r/p",
        ),
        ("no device's id", "The device is locked", "The device is locked"),
        ("a short token", "authorization: applepass secret", "authorization: applepass [removed]"),
        ("the token alone", f"token {TOKEN}.", "token [removed]."),
        ("a push token", f"push {PUSH_TOKEN}", "push [removed]"),
        ("what is not printed", "a\x1b[31mb\nc\0d\u202ee", "a [31mb c d e"),
        ("half a letter", "a\ud800b", "a b"),
        ("other alphabets", "Größe 大きい 🎉", "Größe 大きい 🎉"),
        ("long", "x y" * 1000, ("x y" * 1000)[:1000]),
    ],
)
def test_a_line_is_kept_without_tokens_and_printable(case: str, line: str, kept: str):
    assert logs.cleaned(line) == kept


async def kept(text: str = "", limit: int = 100) -> list[str]:
    return [row.message for row in await logs.search(text, limit=limit)]


async def test_lines_are_found_by_what_they_hold(database: object):
    await logs.keep(["No network", "The pass was unchanged"], now=NOON)
    await logs.keep(["100 % of nothing"], now=NOON + SECOND)

    assert await kept() == ["No network", "The pass was unchanged", "100 % of nothing"]
    assert await kept("NO") == ["No network", "100 % of nothing"]
    assert await kept("%") == ["100 % of nothing"]
    assert await kept("_") == []
    assert await kept(limit=1) == ["100 % of nothing"]


async def test_of_one_call_so_many_lines_are_kept(database: object):
    await logs.keep([str(one) for one in range(60)], now=NOON)
    await logs.keep([], now=NOON)

    assert await kept() == [str(one) for one in range(50)]


async def test_the_oldest_lines_make_room(database: object, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logs, "ROWS_MAX", 3)

    for one in range(5):
        await logs.keep([str(one)], now=NOON + one * SECOND)

    assert await kept() == ["2", "3", "4"]
