"""Which pass certificates are configured, which one signs, and what is wrong with the others."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from loyalty_graph.errors import CertificateError
from loyalty_graph.wallet.apple.certificates import Candidate, Places, find, newest
from loyalty_graph.wallet.apple.development_ca import Chain
from loyalty_graph.wallet.apple.signing import PassIdentity
from tests.wallet.apple.authorities import (
    APPLES,
    CARD,
    DAY,
    Authority,
    key_pem,
    pem,
    put_bundle,
    put_issuer,
    put_pair,
)
from tests.wallet.making import NOW, write_chain

SECRET = "hush"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with Apple's authority in it."""
    put_issuer(tmp_path / "apple")
    return tmp_path / "apple"


def found(folder: Path, *, password: str | None = None, days: int = 0) -> list[Candidate]:
    return find(Places(CARD, folder, password=password), now=NOW + days * DAY)


def only_fault(folder: Path, **given: object) -> str:
    """Return the fault of the only candidate, which cannot sign; it is one line."""
    [one] = found(folder, **given)  # type: ignore[arg-type] # what `found` takes
    assert one.signer is None
    assert newest([one]) is None
    assert one.fault is not None
    assert len(one.fault.splitlines()) == 1
    assert "PRIVATE KEY" not in one.fault
    return one.fault


def test_a_bundle_with_its_chain_signs(tmp_path: Path):
    mine = APPLES.issue()
    others = (APPLES.certificate(),)
    put_bundle(tmp_path / "apple", "card", mine, password=SECRET, others=others)

    [one] = found(tmp_path / "apple", password=SECRET)

    assert one.fault is None
    assert one.signer is not None
    assert (one.signer.certificate, one.signer.identity) == (mine, CARD)
    assert one.signer.sign(b"manifest", now=NOW)
    assert one.subject == "Pass Type ID: pass.com.example.card"
    assert one.issuer == f"{APPLES.common_name} G4"
    assert one.valid_until == mine.not_valid_after_utc


def test_a_pair_of_files_signs_whatever_their_names(folder: Path):
    (folder / "certificate.pem").write_bytes(pem(APPLES.issue()))
    (folder / "private.pem").write_bytes(key_pem())
    put_pair(folder, "another", APPLES.issue(begins=NOW - 2 * DAY, of="other"), of="other")

    candidates = found(folder)

    assert [one.fault for one in candidates] == [None, None]
    assert {one.path.name for one in candidates if one.path} == {"another.pem", "certificate.pem"}


def test_certificate_and_key_in_one_file_sign(folder: Path):
    (folder / "card.pem").write_bytes(key_pem() + pem(APPLES.issue()))

    assert [one.fault for one in found(folder)] == [None]


def test_a_certificate_as_apple_hands_it_out_signs(folder: Path):
    (folder / "pass.cer").write_bytes(APPLES.issue().public_bytes(Encoding.DER))
    (folder / "pass.key").write_bytes(key_pem())

    assert [one.fault for one in found(folder)] == [None]


def test_each_file_may_have_a_password_of_its_own(folder: Path):
    put_bundle(folder, "old", APPLES.issue(begins=NOW - 9 * DAY), password="one")
    put_bundle(folder, "new", APPLES.issue(), password="two")
    put_pair(folder, "pair", APPLES.issue(of="other"), of="other", password="three")
    for name, password in (("old", "one"), ("new", "two\n"), ("pair", "three")):
        (folder / f"{name}.password").write_text(password)

    candidates = found(folder, password="for none of them")

    assert [one.fault for one in candidates] == [None, None, None]


def test_of_several_the_newest_that_is_valid_signs(folder: Path):
    old, new, future = (
        APPLES.issue(begins=NOW + days * DAY, life=396 * DAY) for days in (-300, -10, 5)
    )
    for name, one in (("a-future", future), ("b-old", old), ("c-new", new)):
        put_bundle(folder, name, one, password=None)

    now, later, much_later = (newest(found(folder, days=days)) for days in (0, 6, 390))

    assert now is not None
    assert later is not None
    assert much_later is not None
    assert (now.certificate, later.certificate) == (new, future)
    assert much_later.certificate == future
    faults = {one.path.stem: one.fault for one in found(folder) if one.path}
    assert (faults["b-old"], faults["c-new"]) == (None, None)
    assert "is not valid before 2026-11-27" in str(faults["a-future"])


@pytest.mark.parametrize(
    ("case", "identity", "fault"),
    [
        (
            "another team",
            PassIdentity(CARD.pass_type_identifier, "OTHER54321"),
            "the certificate belongs to the team OTHER54321, not ABCDE12345.",
        ),
        (
            "another pass type",
            PassIdentity("pass.com.example.other", CARD.team_identifier),
            (
                "the certificate is for the pass type pass.com.example.other,"
                " not pass.com.example.card."
            ),
        ),
    ],
)
def test_a_certificate_of_others_is_refused_with_both_names(
    folder: Path, case: str, identity: PassIdentity, fault: str
):
    path = put_bundle(folder, "card", APPLES.issue(identity), password=None)

    assert only_fault(folder) == f"{path}: {fault}", case


@pytest.mark.parametrize(
    ("case", "authority", "fault"),
    [
        (
            "a stranger",
            Authority("Honest Achmed", unit="", organization="Used Cars"),
            (
                f"was issued by Honest Achmed, not by {APPLES.common_name} of Apple Inc.;"
                " phones trust no other."
            ),
        ),
        (
            "Apple's name, another organization",
            Authority(organization="Apple Tree Ltd."),
            (
                f"was issued by {APPLES.common_name} G4, not by {APPLES.common_name} of Apple Inc.;"
                " phones trust no other."
            ),
        ),
        (
            "another authority of Apple",
            Authority("Apple Application Integration 2 Certification Authority", unit=""),
            (
                "was issued by Apple Application Integration 2 Certification Authority,"
                f" not by {APPLES.common_name} of Apple Inc.; phones trust no other."
            ),
        ),
        (
            "the first generation",
            Authority(unit="Apple Worldwide Developer Relations"),
            (
                "was issued by the first generation of Apple's authority, which ended on"
                " 2023-02-07; get a new certificate, whose issuer is G4."
            ),
        ),
        (
            "a root of somebody else",
            Authority(root="My Root"),
            "its issuer's own issuer is My Root, not Apple Root CA.",
        ),
    ],
)
def test_what_phones_do_not_trust_is_refused(
    tmp_path: Path, case: str, authority: Authority, fault: str
):
    put_issuer(tmp_path / "apple", authority)
    path = put_bundle(tmp_path / "apple", "card", authority.issue(), password=None)

    assert only_fault(tmp_path / "apple") == f"{path}: {fault}", case


def test_without_its_issuer_the_file_to_fetch_is_named(tmp_path: Path):
    path = put_bundle(tmp_path / "apple", "card", APPLES.issue(), password=None)

    assert only_fault(tmp_path / "apple") == (
        f"{path}: the certificate of its issuer, {APPLES.common_name} G4, is not there;"
        " put it beside (from apple.com/certificateauthority)."
    )


def test_another_generation_of_the_same_name_did_not_sign_it(tmp_path: Path):
    put_issuer(tmp_path / "apple", Authority(signs_with="another generation"))
    put_bundle(tmp_path / "apple", "card", APPLES.issue(), password=None)

    assert "the name is right, but this certificate did not sign" in only_fault(tmp_path / "apple")


def test_of_two_generations_of_one_name_the_one_that_signed_counts(tmp_path: Path):
    put_issuer(tmp_path / "apple", Authority(signs_with="another generation"))
    (tmp_path / "apple" / "right.pem").write_bytes(pem(APPLES.certificate()))
    put_bundle(tmp_path / "apple", "card", APPLES.issue(), password=None)

    assert [one.fault for one in found(tmp_path / "apple")] == [None]


def put_text(folder: Path) -> None:
    (folder / "card.p12").write_text("no bundle")


def put_text_as_certificate(folder: Path) -> None:
    (folder / "card.cer").write_text("no certificate")


def put_large(folder: Path) -> None:
    (folder / "card.pem").write_bytes(bytes(1_000_001))


def put_expired(folder: Path) -> None:
    put_bundle(folder, "card", APPLES.issue(begins=NOW - 400 * DAY), password=None)


def put_without_key(folder: Path) -> None:
    (folder / "card.pem").write_bytes(pem(APPLES.issue()))


def put_with_other_key(folder: Path) -> None:
    put_pair(folder, "card", APPLES.issue(), of="other")


def put_locked_bundle(folder: Path) -> None:
    put_bundle(folder, "card", APPLES.issue(), password=SECRET)


@pytest.mark.parametrize(
    ("put", "password", "fault"),
    [
        (put_text, None, "this is no PKCS #12 file, or it needs its password."),
        (put_text_as_certificate, None, "this is not a certificate in PEM or DER."),
        (put_large, None, "is larger than 1000000 bytes."),
        (put_expired, None, "the certificate expired on 2026-11-18."),
        (put_without_key, None, "its key is not there; put it into card.key."),
        (put_with_other_key, None, "its key is not there; put it into card.key."),
        (put_locked_bundle, None, "this is no PKCS #12 file, or it needs its password."),
        (put_locked_bundle, "guess", "this is no PKCS #12 file, or the password is wrong."),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_secrets(
    folder: Path, put: Callable[[Path], None], password: str | None, fault: str
):
    put(folder)

    said = only_fault(folder, password=password)

    assert said.endswith(f": {fault}")
    assert "guess" not in said


def test_a_key_that_its_password_does_not_open_is_named(folder: Path):
    put_pair(folder, "card", APPLES.issue(), password=SECRET)

    faults = [one.fault for one in found(folder, password="guess")]

    assert faults == [
        f"{folder / 'card.pem'}: its key is not there; put it into card.key.",
        f"{folder / 'card.key'}: this is not a private key in PEM, or the password is wrong.",
    ]


def test_one_that_fails_keeps_no_other_from_signing(folder: Path):
    good = APPLES.issue()
    put_bundle(folder, "good", good, password=None)
    put_text(folder)

    signer = newest(found(folder))

    assert signer is not None
    assert signer.certificate == good


def test_an_empty_folder_and_one_that_is_not_there_are_refused(tmp_path: Path, folder: Path):
    with pytest.raises(CertificateError, match="holds no pass certificate"):
        found(folder)
    with pytest.raises(CertificateError, match="cannot be read"):
        found(tmp_path / "absent")


def test_a_folder_with_far_too_many_files_is_refused(folder: Path):
    for number in range(200):
        (folder / f"{number}.txt").touch()

    with pytest.raises(CertificateError, match="holds more than 200 files"):
        found(folder)


def test_single_files_lie_beside_the_folder(folder: Path, chain: Chain, tmp_path: Path):
    put_bundle(folder, "card", APPLES.issue(), password=None)
    files = write_chain(chain, tmp_path / "single")

    single, of_folder = find(Places(CARD, folder, files), now=NOW)

    assert single.path == files.certificate
    assert "for the pass type pass.dev.loyalty-graph.card, not" in str(single.fault)
    assert single.certificate == chain.certificate
    assert of_folder.fault is None


def test_secrets_are_not_in_what_is_printed_of_places(folder: Path):
    assert SECRET not in repr(Places(CARD, folder, password=SECRET))


def test_a_certificate_that_outlives_its_issuer_ends_with_it(tmp_path: Path):
    put_issuer(tmp_path / "apple")
    put_bundle(tmp_path / "apple", "card", APPLES.issue(life=timedelta(days=9000)), password=None)

    [one] = found(tmp_path / "apple")

    assert one.valid_until == APPLES.certificate().not_valid_after_utc
