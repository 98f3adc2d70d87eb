"""The signer of the moment, while certificates come and go."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from loyalty_graph.errors import CertificateError
from loyalty_graph.wallet.apple import cms
from loyalty_graph.wallet.apple.certificates import Candidate
from loyalty_graph.wallet.apple.reading import read_members
from loyalty_graph.wallet.apple.signers import Printers, Signers
from loyalty_graph.wallet.templates import Template
from tests.wallet.apple.authorities import APPLES, DAY, put_bundle, put_issuer
from tests.wallet.apple.test_certificates import found
from tests.wallet.making import NOW, SERIAL, make_face


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put_issuer(tmp_path / "apple")
    put_bundle(tmp_path / "apple", "old", APPLES.issue(begins=NOW - 300 * DAY))
    return tmp_path / "apple"


@pytest.fixture
def look(folder: Path) -> Callable[[datetime], list[Candidate]]:
    return lambda now: found(folder, days=(now - NOW).days)


def test_a_new_certificate_signs_once_it_was_looked_at(
    folder: Path, look: Callable[[datetime], list[Candidate]]
):
    signers = Signers(look, now=NOW)
    before = signers.current
    new = APPLES.issue()
    put_bundle(folder, "new", new)

    unlooked = signers.current
    signers.look(now=NOW)

    assert unlooked is before
    assert signers.current.certificate == new


def test_a_new_certificate_that_fails_leaves_the_old_one_signing(
    folder: Path, look: Callable[[datetime], list[Candidate]]
):
    signers = Signers(look, now=NOW)
    before = signers.current
    (folder / "new.p12").write_text("half a file")

    candidates = signers.look(now=NOW)

    assert signers.current is before
    assert [one.fault is None for one in candidates] == [True, False]


def test_when_the_new_one_is_taken_away_the_old_one_signs_again(
    folder: Path, look: Callable[[datetime], list[Candidate]]
):
    new = put_bundle(folder, "new", APPLES.issue())
    signers = Signers(look, now=NOW)
    new.unlink()

    signers.look(now=NOW)

    assert signers.current.certificate.not_valid_before_utc == NOW - 300 * DAY


def test_the_same_certificate_stays_the_same_signer(
    look: Callable[[datetime], list[Candidate]],
):
    signers = Signers(look, now=NOW)
    before = signers.current

    signers.look(now=NOW)

    assert signers.current is before


def test_when_all_have_ended_the_last_one_goes_on(
    folder: Path, look: Callable[[datetime], list[Candidate]]
):
    signers = Signers(look, now=NOW)
    before = signers.current

    signers.look(now=NOW + 200 * DAY)
    (folder / "old.p12").unlink()
    with pytest.raises(CertificateError, match="holds no pass certificate"):
        signers.look(now=NOW)

    assert signers.current is before


def test_without_a_certificate_that_can_sign_nothing_begins(
    folder: Path, look: Callable[[datetime], list[Candidate]]
):
    (folder / "other.p12").write_text("no bundle")

    with pytest.raises(CertificateError, match=r"old\.p12: the cert.*other\.p12: this is"):
        Signers(look, now=NOW - 400 * DAY)


def test_a_start_after_the_last_certificate_has_ended_goes_on_with_it(
    folder: Path, look: Callable[[datetime], list[Candidate]]
):
    put_bundle(folder, "older", APPLES.issue(begins=NOW - 360 * DAY))
    before = Signers(look, now=NOW).current

    signers = Signers(look, now=NOW + 200 * DAY)

    assert signers.current.certificate == before.certificate
    assert [one.signer for one in signers.look(now=NOW + 200 * DAY)] == [None, None]


def signed_by(pass_file: bytes) -> object:
    return cms.parse(read_members(pass_file)["signature"]).signer()


def test_printers_follow_the_signer(
    folder: Path, look: Callable[[datetime], list[Candidate]], card_template: Template
):
    signers = Signers(look, now=NOW)
    printers = Printers({"store-card": card_template}, signers)
    before = printers["store-card"]
    new = APPLES.issue()
    put_bundle(folder, "new", new)
    signers.look(now=NOW)

    after = printers["store-card"]

    assert after is not before
    assert after is printers["store-card"]
    assert signed_by(after.print(make_face(), serial_number=SERIAL, now=NOW)) == new
    assert (list(printers), len(printers)) == (["store-card"], 1)
    assert "vip" not in printers
