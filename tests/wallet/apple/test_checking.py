"""The checker finds every change to a pass file and says what it is."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_graph.wallet.apple.archive import PassArchive
from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.checking import describe, verify_pass_file
from loyalty_graph.wallet.apple.development_ca import IDENTITY, Chain
from loyalty_graph.wallet.apple.reading import MEMBERS_MAX, UNPACKED_BYTES_MAX, read_members
from loyalty_graph.wallet.apple.signing import Signer
from tests.wallet.making import NOW, SERIAL, changed, make_face, make_signer, pack, signed

Card = dict[str, Any]
ALL_CHECKS = [
    "archive",
    "contents",
    "manifest lists files",
    "sums",
    "signature detached",
    "signed manifest",
    "signature by certificate",
    "signing time",
    "chain",
    "identity",
    "pass json",
]
ICON = {"icon.png": b"icon"}
RSA_2048_BYTES = 256


def failures(data: bytes, chain: Chain) -> dict[str, str]:
    report = verify_pass_file(data, trusted_root=chain.root, now=NOW)
    return {check.name: check.reason for check in report.failures}


def resigned(data: bytes, signer: Signer, members: dict[str, bytes]) -> bytes:
    """Return the pass file with members replaced and signed as if that were right."""
    given = {**read_members(data), **members}
    del given["signature"]
    return pack({**given, "signature": signer.sign(given["manifest.json"], now=NOW)})


def builder(chain: Chain, content: bytes) -> pkcs7.PKCS7SignatureBuilder:
    return (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(content)
        .add_signer(chain.certificate, chain.key, hashes.SHA256())
        .add_certificate(chain.issuer)
    )


def test_a_card_of_ours_passes_every_check(pass_file: bytes, chain: Chain):
    report = verify_pass_file(pass_file, trusted_root=chain.root, now=NOW)

    assert [check.name for check in report.checks] == ALL_CHECKS
    assert report.passed
    assert report.failures == ()
    assert {check.reason for check in report.checks} == {""}


def test_a_deflated_archive_passes_too(pass_file: bytes, chain: Chain):
    assert failures(pack(read_members(pass_file)), chain) == {}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_changed_bit_of_any_member_is_found(
    data: st.DataObject, pass_file: bytes, chain: Chain
):
    members = read_members(pass_file)
    name = data.draw(st.sampled_from(sorted(members)))
    content = bytearray(members[name])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))

    assert failures(changed(pass_file, {name: bytes(content)}), chain)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_bytes_are_examined_without_an_exception(
    data: st.DataObject, printer: CardPrinter, chain: Chain
):
    small = PassArchive(ICON, printer.signer).build({}, now=NOW)
    content = bytearray(small)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    report = verify_pass_file(bytes(content), trusted_root=chain.root, now=NOW)

    assert len(report.checks) == len(ALL_CHECKS)


@pytest.mark.parametrize("place", range(0, 2600, 37))
def test_every_part_of_the_signature_matters(pass_file: bytes, chain: Chain, place: int):
    content = bytearray(read_members(pass_file)["signature"])
    content[place] ^= 0x01

    assert failures(changed(pass_file, {"signature": bytes(content)}), chain)


@pytest.mark.parametrize(
    ("case", "data", "reason"),
    [
        ("nothing", b"", "the archive is damaged: File is not a zip file"),
        ("a page", b"<html>", "the archive is damaged: File is not a zip file"),
        ("a way out", pack({"../a": b""}), "the name '../a' leads out of the archive"),
        ("a Windows way out", pack({"..\\a": b""}), "leads out of the archive"),
        ("an absolute name", pack({"/a": b""}), "the name '/a' leads out of the archive"),
        (
            "too many members",
            pack({str(number): b"" for number in range(MEMBERS_MAX + 1)}),
            "101 members; 100 is the limit",
        ),
        (
            "a bomb",
            pack({"a": bytes(UNPACKED_BYTES_MAX + 1)}),
            "more than 20,971,520 bytes when unpacked",
        ),
    ],
)
def test_an_archive_that_cannot_be_read_fails_every_check_that_needs_it(
    chain: Chain, case: str, data: bytes, reason: str
):
    found = failures(data, chain)

    assert list(found) == ALL_CHECKS
    assert reason in found["archive"]
    assert found["chain"] == "not checked, because it needs what failed above"


def test_a_damaged_member_is_found_by_its_sum(pass_file: bytes, chain: Chain):
    place = pass_file.index(b"IDAT") + 20
    damaged = pass_file[:place] + bytes([pass_file[place] ^ 1]) + pass_file[place + 1 :]

    assert "Bad CRC-32 for file 'icon.png'" in failures(damaged, chain)["archive"]


def test_a_name_that_stands_there_twice_is_refused(chain: Chain):
    once = pack({"icon.png": b"1", "icon.pnh": b"2"})

    found = failures(once.replace(b"icon.pnh", b"icon.png"), chain)

    assert found["archive"] == "icon.png stands there twice"


def test_an_encrypted_member_is_refused(chain: Chain):
    data = bytearray(pack({"icon.png": b"1"}))
    data[data.index(b"PK\1\2") + 8] |= 1

    assert failures(bytes(data), chain)["archive"] == "icon.png is encrypted"


def test_an_unusual_compression_is_refused(chain: Chain):
    data = bytearray(pack({"icon.png": b"1"}))
    data[data.index(b"PK\1\2") + 10] = 14

    assert "compressed in a way" in failures(bytes(data), chain)["archive"]


@pytest.mark.parametrize("name", ["pass.json", "manifest.json", "signature", "icon.png"])
def test_a_missing_member_is_named(pass_file: bytes, chain: Chain, name: str):
    assert failures(changed(pass_file, {name: None}), chain)["contents"] == f"{name} missing"


def test_an_extra_file_is_found(pass_file: bytes, chain: Chain):
    found = failures(changed(pass_file, {"extra.png": b"x"}), chain)

    assert found == {"manifest lists files": "extra.png is in the archive, but not in the manifest"}


def test_a_removed_file_is_found(pass_file: bytes, chain: Chain):
    found = failures(changed(pass_file, {"strip.png": None}), chain)

    assert found["manifest lists files"] == "strip.png is in the manifest, but not in the archive"


def test_a_changed_file_is_found_even_when_the_manifest_is_made_to_fit(
    pass_file: bytes, chain: Chain
):
    members = read_members(pass_file)
    manifest = json.loads(members["manifest.json"])
    manifest["logo.png"] = hashlib.sha1(b"other", usedforsecurity=False).hexdigest()

    plain = failures(changed(pass_file, {"logo.png": b"other"}), chain)
    fitted = failures(
        changed(pass_file, {"logo.png": b"other", "manifest.json": json.dumps(manifest).encode()}),
        chain,
    )

    assert list(plain) == ["sums"]
    assert plain["sums"].startswith("logo.png was changed: its SHA-1 is ")
    assert fitted == {"signed manifest": "the manifest is not the one that was signed"}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": "1", "a": "2"}', b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_not_an_object_is_found(
    pass_file: bytes, signer: Signer, chain: Chain, content: bytes
):
    found = failures(resigned(pass_file, signer, {"manifest.json": content}), chain)

    assert found["manifest lists files"].startswith("manifest.json is not ") or (
        found["manifest lists files"] == "a key stands there twice"
    )


def test_a_signature_by_another_key_is_found(pass_file: bytes, chain: Chain, other_chain: Chain):
    manifest = read_members(pass_file)["manifest.json"]
    ours = make_signer(chain).sign(manifest, now=NOW)
    theirs = make_signer(other_chain).sign(manifest, now=NOW)
    mixed = ours[:-RSA_2048_BYTES] + theirs[-RSA_2048_BYTES:]

    found = failures(changed(pass_file, {"signature": mixed}), chain)

    assert found["signature by certificate"] == "the signature does not fit the signed attributes"


def test_a_signature_with_the_manifest_inside_is_found(pass_file: bytes, chain: Chain):
    manifest = read_members(pass_file)["manifest.json"]
    embedded = builder(chain, manifest).sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])

    found = failures(changed(pass_file, {"signature": embedded}), chain)

    assert found["signature detached"] == "the manifest is embedded in the signature"


def test_a_signature_without_attributes_is_found(pass_file: bytes, chain: Chain):
    manifest = read_members(pass_file)["manifest.json"]
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.NoAttributes]
    bare = builder(chain, manifest).sign(Encoding.DER, options)

    found = failures(changed(pass_file, {"signature": bare}), chain)

    assert found["signature detached"] == "SignerInfo: 5 parts where 6 belong"


def test_a_signature_without_its_certificates_is_found(pass_file: bytes, chain: Chain):
    manifest = read_members(pass_file)["manifest.json"]
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.NoCerts]
    bare = builder(chain, manifest).sign(Encoding.DER, options)

    found = failures(changed(pass_file, {"signature": bare}), chain)

    assert "signature detached" in found


def test_a_chain_that_ends_elsewhere_is_found(pass_file: bytes, chain: Chain, other_chain: Chain):
    found = failures(pass_file, other_chain)

    assert list(found) == ["chain"]
    assert "which is neither inside nor trusted" in found["chain"]


def test_a_certificate_is_no_authority(pass_file: bytes, chain: Chain):
    report = verify_pass_file(pass_file, trusted_root=chain.certificate, now=NOW)

    assert [check.name for check in report.failures] == ["chain"]


@pytest.mark.parametrize(
    ("case", "days", "expected"),
    [
        ("the certificate expired since", 396, {"chain": "expired on 2027-12-22"}),
        (
            "the phone's clock is far behind",
            -30,
            {"signing time": "ahead of now", "chain": "is not valid before 2026-11-21"},
        ),
    ],
)
def test_the_moment_of_adding_counts(
    pass_file: bytes, chain: Chain, case: str, days: int, expected: dict[str, str]
):
    now = NOW + timedelta(days=days)

    report = verify_pass_file(pass_file, trusted_root=chain.root, now=now)

    found = {check.name: check.reason for check in report.failures}
    assert list(found) == list(expected)
    assert all(reason in found[name] for name, reason in expected.items())


@pytest.mark.parametrize(
    ("case", "offset", "reason"),
    [
        ("ahead", timedelta(minutes=6), "signed at 2026-11-22 12:36:05 UTC, which is ahead of now"),
        (
            "before the certificate",
            timedelta(days=-3),
            "signed at 2026-11-19 12:30:05 UTC, when the certificate was not valid",
        ),
    ],
)
def test_a_senseless_signing_time_is_found(
    printer: CardPrinter, chain: Chain, case: str, offset: timedelta, reason: str
):
    data = printer.print(make_face(), serial_number=SERIAL, now=NOW + offset)

    assert failures(data, chain) == {"signing time": reason}


def test_a_clock_a_little_ahead_is_forgiven(printer: CardPrinter, chain: Chain):
    data = printer.print(make_face(), serial_number=SERIAL, now=NOW + timedelta(minutes=5))

    assert failures(data, chain) == {}


@pytest.mark.parametrize("key", ["passTypeIdentifier", "teamIdentifier"])
def test_a_pass_of_someone_else_is_found(
    printer: CardPrinter, signer: Signer, chain: Chain, key: str
):
    card = printer.card(make_face(), serial_number=SERIAL)

    found = failures(signed({**card, key: "other"}, signer, ICON), chain)

    assert list(found) == ["identity"]
    assert found["identity"].startswith(f"{key} is other, the certificate is for ")


def balance(card: Card) -> Card:
    field: Card = card["storeCard"]["primaryFields"][0]
    return field


@pytest.mark.parametrize(
    ("case", "change", "reason"),
    [
        ("version", lambda card: card.update(formatVersion="1"), "formatVersion is not 1"),
        ("no serial", lambda card: card.pop("serialNumber"), "serialNumber is not a text"),
        ("empty serial", lambda card: card.update(serialNumber=""), "serialNumber is empty"),
        ("two styles", lambda card: card.update(generic={}), "exactly one of storeCard, generic"),
        ("no style", lambda card: card.pop("storeCard"), "exactly one of storeCard, generic"),
        ("a list", lambda card: card.update(storeCard=[]), "storeCard is not an object"),
        (
            "a number as value",
            lambda card: balance(card).update(value=1878),
            "primaryFields[0].value is not a text",
        ),
        (
            "a key twice",
            lambda card: balance(card).update(key="member"),
            "secondaryFields[0].key: member stands there already",
        ),
        (
            "fields that are no list",
            lambda card: card["storeCard"].update(backFields={}),
            "backFields is not a list",
        ),
        (
            "a field that is no object",
            lambda card: card["storeCard"].update(backFields=["a"]),
            "backFields[0] is not an object",
        ),
        (
            "a barcode without message",
            lambda card: card["barcodes"][0].pop("message"),
            "barcodes[0].message is not a text",
        ),
        (
            "a token alone",
            lambda card: card.update(authenticationToken="t" * 16),
            "webServiceURL and authenticationToken belong together",
        ),
        (
            "a short token",
            lambda card: card.update(webServiceURL="https://a", authenticationToken="t" * 15),
            "authenticationToken is shorter than 16",
        ),
    ],
)
def test_a_pass_json_that_phones_refuse_is_found(
    printer: CardPrinter,
    signer: Signer,
    chain: Chain,
    case: str,
    change: Callable[[Card], object],
    reason: str,
):
    card = json.loads(json.dumps(printer.card(make_face(), serial_number=SERIAL)))
    change(card)

    found = failures(signed(card, signer, ICON), chain)

    assert list(found) == ["pass json"]
    assert found["pass json"].startswith(reason)


def test_a_web_service_and_other_parts_of_the_style_are_fine(
    printer: CardPrinter, signer: Signer, chain: Chain
):
    card = printer.card(make_face(), serial_number=SERIAL)
    card |= {"webServiceURL": "https://a", "authenticationToken": "t" * 16}
    card["storeCard"] = {**card["storeCard"], "transitType": "PKTransitTypeAir"}

    assert failures(signed(card, signer, ICON), chain) == {}


def test_a_pass_file_says_what_it_is(pass_file: bytes, chain: Chain):
    said = describe(pass_file)

    assert said["card"]["serialNumber"] == SERIAL
    assert said["signed_at"] == NOW
    assert said["development"] is True
    assert said["certificate_expires_at"] == chain.certificate.not_valid_after_utc
    assert f"UID={IDENTITY.pass_type_identifier}" in said["signer"]
    assert "Worldwide Developer Relations CA" in said["issuer"]
    assert said["files"]["pass.json"] == len(read_members(pass_file)["pass.json"])
    assert len(said["files"]) == 16


@pytest.mark.parametrize(
    ("case", "data", "reason"),
    [
        ("no archive", b"PK", "the archive is damaged"),
        ("no pass.json", pack({"signature": b""}), "pass.json is missing"),
        ("no signature", pack({"pass.json": b"{}"}), "signature is missing"),
        ("no object", pack({"pass.json": b"[]", "signature": b""}), "not a JSON object"),
        ("no CMS", pack({"pass.json": b"{}", "signature": b"x"}), "the signature is not readable"),
    ],
)
def test_what_is_no_pass_file_cannot_be_described(case: str, data: bytes, reason: str):
    with pytest.raises(ValueError, match=reason):
        describe(data)
