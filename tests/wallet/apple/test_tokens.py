"""The tokens that passes show to the web service."""

from pathlib import Path

import pytest

from loyalty_graph.config import Settings
from loyalty_graph.errors import SettingsError
from loyalty_graph.wallet.apple.tokens import FOLDER, PassTokens, pass_tokens
from loyalty_graph.wallet.key_rings import add_key

TYPE, SERIAL = "pass.com.example.card", "0" * 32
FIRST, SECOND = b"a" * 32, b"b" * 32


def test_a_token_is_as_long_as_apple_asks_and_stays_the_same():
    tokens = PassTokens((FIRST,))

    token = tokens.token(TYPE, SERIAL, 0)

    # HMAC-SHA256 of the text by another implementation (openssl dgst), in base64url.
    assert token == "eYTpnWe9dbYiwJ-r5u90YjBgxSH0L1QW"
    assert tokens.token(TYPE, SERIAL, 0) == token


def test_a_token_fits_one_pass_only():
    tokens = PassTokens((FIRST,))
    token = tokens.token(TYPE, SERIAL, 0)

    assert tokens.fits(token, TYPE, SERIAL)
    assert not tokens.fits(token, TYPE, "1" * 32)
    assert not tokens.fits(token, "pass.com.example.other", SERIAL)
    assert not PassTokens((SECOND,)).fits(token, TYPE, SERIAL)


@pytest.mark.parametrize(
    ("case", "token"),
    [("empty", ""), ("no ASCII", "ü" * 32), ("a lone surrogate", "\udc80"), ("long", "x" * 5000)],
)
def test_what_is_no_token_fits_nothing(case: str, token: str):
    assert not PassTokens((FIRST,)).fits(token, TYPE, SERIAL)


def test_older_generations_stay_good_and_the_last_one_is_for_new_passes():
    before, after = PassTokens((FIRST,)), PassTokens((FIRST, SECOND))

    old, new = before.token(TYPE, SERIAL, 0), after.token(TYPE, SERIAL, 1)

    assert (before.newest, after.newest) == (0, 1)
    assert old != new
    assert after.fits(old, TYPE, SERIAL)
    assert after.fits(new, TYPE, SERIAL)
    assert not before.fits(new, TYPE, SERIAL)


def test_a_key_that_is_added_changes_no_token_of_before():
    secret = "s" * 32

    before = pass_tokens(Settings(secret_key=secret))  # type: ignore[arg-type] # pydantic reads it
    after = pass_tokens(Settings(secret_key=secret, pass_token_keys=("k" * 32,)))  # type: ignore[arg-type] # the same

    assert (before.newest, after.newest) == (0, 1)
    assert after.token(TYPE, SERIAL, 0) == before.token(TYPE, SERIAL, 0)
    assert after.token(TYPE, SERIAL, 1) != before.token(TYPE, SERIAL, 0)


def test_keys_are_shown_nowhere():
    settings = Settings(pass_token_keys=("k" * 32,))  # type: ignore[arg-type] # pydantic reads it

    assert "kkkk" not in repr(settings)
    assert "aaaa" not in repr(PassTokens((FIRST,)))


def test_a_key_in_the_folder_is_taken_up_by_every_process(tmp_path: Path):
    settings = Settings(data_dir=tmp_path, secret_key="s" * 32)  # type: ignore[arg-type] # the same
    first, other, third = (pass_tokens(settings) for _ in range(3))
    old = first.token(TYPE, SERIAL, 0)

    add_key(tmp_path / FOLDER)
    new = first.token(TYPE, SERIAL, first.newest)

    assert first.newest == 1
    assert other.token(TYPE, SERIAL, 1) == new
    assert third.fits(new, TYPE, SERIAL)
    assert third.fits(old, TYPE, SERIAL)
    assert not third.fits("x" * 32, TYPE, SERIAL)


def test_keys_are_in_one_place(tmp_path: Path):
    add_key(tmp_path / FOLDER)
    settings = Settings(data_dir=tmp_path, pass_token_keys=("k" * 32,))  # type: ignore[arg-type] # the same

    with pytest.raises(SettingsError, match="LOYALTY_PASS_TOKEN_KEYS is set, and there are keys"):
        pass_tokens(settings)


def test_a_machine_without_the_newest_key_says_so(tmp_path: Path):
    settings = Settings(data_dir=tmp_path, secret_key="s" * 32)  # type: ignore[arg-type] # the same

    with pytest.raises(SettingsError, match="generation 1, and the newest key here is of 0"):
        pass_tokens(settings).token(TYPE, SERIAL, 1)
