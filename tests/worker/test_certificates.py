"""What a running process tells of its pass certificates, and that a new one signs by itself."""

import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from loyalty_graph.alarms import present
from loyalty_graph.config import Settings
from loyalty_graph.wallet.apple.signers import Signers, look_of
from loyalty_graph.worker.certificates import LOOK_EVERY_S, CertificateWatch
from tests.wallet.apple.authorities import APPLES, CARD, DAY, put_bundle, put_issuer
from tests.wallet.making import NOW

SECRET = "correct horse"
MINE = "loyalty_graph.worker.certificates"


class Watched:
    """A folder of certificates that a process looks at, and what it logged."""

    def __init__(self, folder: Path, data_dir: Path, log: pytest.LogCaptureFixture) -> None:
        self.folder, self.log, self.now = folder, log, NOW
        put_issuer(folder)
        put_bundle(folder, "card", APPLES.issue(life=100 * DAY), password=SECRET)
        settings = Settings(
            data_dir=data_dir,
            apple_certificates=folder,
            apple_key_password=SECRET,
            pass_type_identifier=CARD.pass_type_identifier,
            team_identifier=CARD.team_identifier,
        )
        self.signers = Signers(look_of(settings), now=NOW)
        self.watch = CertificateWatch(self.signers, clock=lambda: self.now)

    async def look(self, *, days: float = 0) -> list[tuple[str, str]]:
        """Let the process look after so many days; return what it logged, by level."""
        self.log.clear()
        self.now = NOW + days * DAY
        assert await self.watch.step() == LOOK_EVERY_S
        mine = [one for one in self.log.records if one.name == MINE]
        return [(one.levelname, one.getMessage()) for one in mine]


@pytest.fixture
def watched(
    database: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[Watched]:
    with caplog.at_level(logging.DEBUG):
        yield Watched(tmp_path / "apple", tmp_path / "data", caplog)


async def alarms() -> list[tuple[str, str]]:
    return [(one.name, one.message) for one in await present()]


def ends(days: int) -> tuple[str, str]:
    about = "Pass certificate: pass.com.example.card of team ABCDE12345 ends on 2027-03-01"
    return "WARNING", f"{about}, in {days} days"


async def test_an_end_is_announced_60_30_and_7_days_before_it_and_once_each(watched: Watched):
    told = {day: await watched.look(days=day) for day in (0, 38.9, 39, 40, 69, 80, 92, 93)}

    assert told == {
        0: [],
        38.9: [],
        39: [ends(60)],
        40: [],
        69: [ends(30)],
        80: [],
        92: [ends(7)],
        93: [],
    }


async def test_a_renewed_certificate_signs_without_a_restart_and_ends_the_warnings(
    watched: Watched,
):
    await watched.look(days=40)
    new = APPLES.issue(begins=NOW + 39 * DAY)
    put_bundle(watched.folder, "renewed", new, password=SECRET)

    told = await watched.look(days=40)

    assert watched.signers.current.certificate == new
    [(level, message)] = told
    assert level == "INFO"
    assert message == (
        "Passes are signed by another certificate now: pass.com.example.card of team"
        " ABCDE12345 ends on 2028-01-31, in 395 days"
    )
    assert await watched.look(days=70) == []


async def test_a_fault_is_told_once_and_the_old_certificate_goes_on(watched: Watched):
    before = watched.signers.current
    path = put_bundle(watched.folder, "renewed", APPLES.issue(), password="another")

    first, second = await watched.look(), await watched.look()

    fault = "this is no PKCS #12 file, or the password is wrong."
    assert (first, second) == ([("WARNING", f"Pass certificate: {path}: {fault}")], [])
    assert watched.signers.current is before


async def test_a_folder_that_is_gone_is_told_of_and_signing_goes_on(watched: Watched):
    before = watched.signers.current
    watched.folder.rename(watched.folder.with_name("moved"))

    [(level, message)] = await watched.look()

    assert (level, "cannot be read" in message) == ("WARNING", True)
    assert watched.signers.current is before
    assert watched.signers.current.sign(b"manifest", now=NOW)


async def test_the_alarm_lasts_until_a_certificate_signs_that_is_good_for_longer(watched: Watched):
    await watched.look(days=38)
    before = await alarms()
    await watched.look(days=39)
    raised = await alarms()
    await watched.look(days=100)
    ended = await alarms()
    put_bundle(watched.folder, "renewed", APPLES.issue(begins=NOW + 99 * DAY), password=SECRET)
    await watched.look(days=100)

    card = "pass.com.example.card of team ABCDE12345"
    assert before == []
    assert raised == [("apple.certificate", f"{card} ends on 2027-03-01, in 60 days")]
    assert ended == [("apple.certificate", f"{card} ended on 2027-03-01")]
    assert await alarms() == []


async def test_a_new_certificate_that_fails_is_an_alarm_and_an_old_one_is_not(watched: Watched):
    put_bundle(watched.folder, "ended", APPLES.issue(begins=NOW - 400 * DAY), password=SECRET)
    await watched.look()
    before = await alarms()
    path = put_bundle(watched.folder, "renewed", APPLES.issue(), password="another")
    await watched.look()
    raised = await alarms()
    path.unlink()
    await watched.look()

    fault = "this is no PKCS #12 file, or the password is wrong."
    assert (before, raised) == ([], [("apple.certificate", f"{path}: {fault}")])
    assert await alarms() == []


async def test_the_development_ca_needs_no_renewal(
    database: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    settings = Settings(data_dir=tmp_path / "data")
    clock: list[datetime] = [NOW]
    signers = Signers(look_of(settings), now=NOW)
    first = signers.current
    watch = CertificateWatch(signers, clock=lambda: clock[0])

    clock[0] = NOW + 394 * DAY
    await watch.step()
    nearly_over = signers.current
    clock[0] = NOW + 397 * DAY
    await watch.step()

    assert [one for one in caplog.records if one.name == MINE] == []
    assert await alarms() == []
    assert nearly_over is first
    assert signers.current.expires_at > clock[0]


async def test_neither_keys_nor_passwords_are_logged(watched: Watched):
    put_bundle(watched.folder, "renewed", APPLES.issue(), password="another")
    (watched.folder / "half.p12").write_text("no bundle")
    (watched.folder / "half.password").write_text("a password of its own")

    told = [message for day in (0, 60, 110) for _, message in await watched.look(days=day)]

    assert len(told) > 3
    for secret in (SECRET, "another", "a password of its own", "PRIVATE KEY"):
        assert not any(secret in message for message in told)
