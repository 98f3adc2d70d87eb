"""A sandbox of APNs, and connections to it; TLS looks at the real clock, and so do these chains."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.wallet.apple.apns import Apns, Limits
from loyalty_graph.wallet.apple.development_ca import IDENTITY, Chain, make_chain
from loyalty_graph.wallet.apple.signing import PassIdentity, Signer
from tests.wallet.making import make_signer

NO_PAUSES = Limits(first_pause_s=0.0, longest_pause_s=0.0)
LONG_PAUSES = Limits(first_pause_s=1e9, longest_pause_s=1e9)

Connecting = Callable[..., Apns]


@pytest.fixture(scope="session")
def present_chain() -> Chain:
    return make_chain(IDENTITY, now=utc_now())


@pytest.fixture(scope="session")
def present_signer(present_chain: Chain) -> Signer:
    return make_signer(present_chain)


@pytest.fixture(scope="session")
def stranger() -> Signer:
    """Somebody with a certificate of another authority."""
    identity = PassIdentity("pass.com.example.other", "OTHERTEAM1")
    return make_signer(make_chain(identity, now=utc_now()))


@pytest.fixture
async def fake(present_chain: Chain) -> AsyncIterator[FakeApns]:
    """A sandbox of APNs that listens."""
    sandbox = FakeApns(present_chain.root, clock=utc_now)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def connecting(
    fake: FakeApns, present_signer: Signer, tmp_path: Path
) -> AsyncIterator[Connecting]:
    """Makes connections to the sandbox; they are closed at the end."""
    root = tmp_path / "apns-root.pem"
    root.write_bytes(fake.root)
    made: list[Apns] = []

    def make(
        *,
        url: str | None = None,
        signer_now: Callable[[], Signer] = lambda: present_signer,
        trusted: Path | None = root,
        limits: Limits = NO_PAUSES,
    ) -> Apns:
        made.append(Apns(url or fake.url, signer_now, root=trusted, limits=limits))
        return made[-1]

    yield make
    for one in made:
        await one.close()
