"""An issuer's keys: read, kept, rotated, and never asked for more often than is decent."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import orjson
import pytest

from loyalty_graph.errors import UnauthenticatedError
from loyalty_graph.identity.keys import KeySet, fetch
from tests.identity.signers import ED, RS, Signer, jwks

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEW = Signer.of("EdDSA", "new")


class Source:
    """Stands in for the issuer; counts how often it was asked."""

    def __init__(self, *signers: Signer) -> None:
        self.content: bytes | OSError = jwks(*signers)
        self.asked = 0

    async def __call__(self, source: str) -> bytes:
        assert source == "keys"
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.content, OSError):
            raise self.content
        return self.content


async def found(keys: KeySet, signer: Signer, *, after: float = 0) -> bool:
    now = NOON + timedelta(seconds=after)
    try:
        key = await keys.key(signer.kid, signer.algorithm, now=now)
    except UnauthenticatedError:
        return False
    return key.key_id == signer.kid


async def test_keys_are_read_once_and_kept():
    source = Source(ED, RS)
    keys = KeySet("keys", fetch=source)

    answers = await asyncio.gather(*(found(keys, signer) for signer in (ED, RS) * 20))

    assert (all(answers), source.asked) == (True, 1)
    assert await found(keys, ED, after=600) is True
    assert source.asked == 1
    assert await found(keys, ED, after=601) is True
    assert source.asked == 2


async def test_a_new_key_is_found_and_an_old_one_forgotten():
    source = Source(ED)
    keys = KeySet("keys", fetch=source)
    await found(keys, ED)
    source.content = jwks(NEW)

    assert await found(keys, NEW, after=31) is True
    assert await found(keys, ED, after=32) is False


async def test_unknown_names_do_not_flood_the_issuer():
    source = Source(ED)
    keys = KeySet("keys", fetch=source)
    await found(keys, ED)

    answers = [await found(keys, Signer.of("EdDSA", f"forged-{n}"), after=n) for n in range(60)]

    assert not any(answers)
    assert source.asked == 2


async def test_known_keys_stay_while_the_issuer_cannot_be_reached(
    caplog: pytest.LogCaptureFixture,
):
    source = Source(ED)
    keys = KeySet("keys", fetch=source)
    await found(keys, ED)
    source.content = OSError("no route to host")

    assert await found(keys, ED, after=3600) is True
    assert await found(keys, ED, after=25 * 3600) is False
    assert caplog.messages == ["The keys at keys cannot be read: no route to host"] * 2


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": []}', b'{"keys": [{"kty": "x"}]}']
)
async def test_what_is_no_key_set_opens_nothing(content: bytes):
    source = Source(ED)
    source.content = content

    with pytest.raises(UnauthenticatedError, match="cannot be read now"):
        await KeySet("keys", fetch=source).key("ed", "EdDSA", now=NOON)


async def test_without_a_name_the_only_key_of_the_algorithm_is_taken():
    keys = KeySet("keys", fetch=Source(ED, RS))
    two = KeySet("keys", fetch=Source(ED, NEW))

    assert (await keys.key(None, "EdDSA", now=NOON)).key_id == "ed"
    with pytest.raises(UnauthenticatedError, match="does not name"):
        await two.key(None, "EdDSA", now=NOON)


async def test_keys_for_encryption_check_no_signature():
    given = orjson.loads(jwks(ED))
    given["keys"][0]["use"] = "enc"
    source = Source(ED)
    source.content = orjson.dumps(given)

    assert await found(KeySet("keys", fetch=source), ED) is False


@pytest.fixture
def address() -> Iterator[str]:
    """A server on this machine: /keys answers, /moved sends elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/keys" else 302)
            if self.path != "/keys":
                self.send_header("Location", "/keys")
            self.end_headers()
            self.wfile.write(jwks(ED))

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_keys_are_read_from_a_file_or_url_but_never_from_elsewhere(
    address: str, tmp_path: Path
):
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks(ED))

    assert await fetch(str(path)) == await fetch(f"{address}/keys") == jwks(ED)
    with pytest.raises(OSError, match="302"):
        await fetch(f"{address}/moved")
    with pytest.raises(OSError, match="No such file"):
        await fetch(str(tmp_path / "none"))
