"""Faces, signers and archives for the tests of the wallet."""

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loyalty_graph.money import Money
from loyalty_graph.wallet.apple.archive import PassArchive
from loyalty_graph.wallet.apple.development_ca import Chain
from loyalty_graph.wallet.apple.reading import read_members
from loyalty_graph.wallet.apple.signing import (
    CmsSkeleton,
    Signer,
    SigningFiles,
    certificate_identity,
)
from loyalty_graph.wallet.face import CardFace, ValueFace

NOW = datetime(2026, 11, 22, 12, 30, 5, tzinfo=UTC)
TEMPLATE = Path(__file__).parents[2] / "passes" / "templates" / "store-card"
SERIAL = "c7nJ2vXq8LwPz4Rt"


def make_face(**changes: object) -> CardFace:
    given: dict[str, Any] = {
        "program_name": "Corner Grocer",
        "member_name": "Household 1923",
        "member_number": "LG-7F3K-1923",
        "member_since": datetime(2017, 1, 3, 9, tzinfo=UTC),
        "points_balance": 1878,
        "points_unit": "points",
        "time_zone": "America/New_York",
        "locale": "en_US",
        "value": ValueFace(balance=Money(0, "USD")),
    }
    return CardFace(**given | changes)


def make_signer(chain: Chain) -> Signer:
    identity = certificate_identity(chain.certificate)
    assert identity
    skeleton = CmsSkeleton(chain.certificate, chain.key, chain.issuer)
    return Signer(chain.certificate, chain.issuer, identity, skeleton)


def write_chain(chain: Chain, folder: Path) -> SigningFiles:
    folder.mkdir(exist_ok=True)
    for name, content in chain.files().items():
        (folder / name).write_bytes(content)
    return SigningFiles(folder / "certificate.pem", folder / "key.pem", folder / "intermediate.pem")


def changed(pass_file: bytes, members: Mapping[str, bytes | None]) -> bytes:
    """Return the pass file with members replaced (None: left out), its zip sums made right."""
    given = read_members(pass_file)
    return pack({name: data for name, data in {**given, **members}.items() if data is not None})


def pack(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def signed(card: Mapping[str, Any], signer: Signer, files: Mapping[str, bytes]) -> bytes:
    """Return a pass file of any pass.json at all."""
    return PassArchive(files, signer).build(card, now=NOW)
