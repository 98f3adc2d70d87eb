"""The doctor: what is well, what is not, and what to do; nothing is changed by looking."""

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest

from loyalty_graph import alarms
from loyalty_graph.config import MemberIssuer, Settings
from loyalty_graph.db import open_database
from loyalty_graph.jobs.models import JobRow
from loyalty_graph.ledger.checkpoint_keys import key_folder, replace_key, signing_key
from loyalty_graph.members.models import Member
from loyalty_graph.outbox.models import FactRow
from loyalty_graph.usecases import doctor_database, doctor_settings
from loyalty_graph.usecases.doctor import examine
from loyalty_graph.usecases.doctor_checks import Check, State
from loyalty_graph.wallet import pushes
from loyalty_graph.wallet.pushes import Wanted
from tests.shop import DAY, NOON, Shop
from tests.usecases.test_proof import sabotage
from tests.wallet.apple.authorities import APPLES, CARD, put_bundle, put_issuer

SECOND = timedelta(seconds=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "keys", public_url="https://cards.example.com")


def clock(now: datetime = NOON) -> datetime:
    return now


async def looked(settings: Settings, url: str) -> dict[str, Check]:
    return {check.name: check async for check in examine(settings, url=url, clock=clock)}


async def queued(now: datetime) -> dict[str, Check]:
    return {check.name: check async for check in doctor_database.look_at_queues(now)}


def states(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.state for name, check in checks.items()}


async def test_everything_is_looked_at_and_each_finding_says_what_to_do(
    settings: Settings, database_url: str
):
    checks = await looked(settings, database_url)

    assert {"python", "public URL", "pass certificate", "secret key"} <= set(checks)
    assert {"schema", "database", "database settings", "queue of jobs"} <= set(checks)
    assert states(checks)["public URL"] == "OK"
    for check in checks.values():
        assert bool(check.advice) == (check.state in (State.WARNING, State.FAULT)), check


async def test_looking_makes_no_files(settings: Settings, tmp_path: Path):
    missing = tmp_path / "new" / "loyalty.sqlite3"

    checks = await looked(settings, f"sqlite://{missing}")

    assert checks["database"].found == f"there is no file {missing}"
    assert "loyalty-graph migrate" in checks["database"].advice
    assert not missing.parent.exists()
    assert not settings.data_dir.exists()


@pytest.mark.sqlite
async def test_a_file_that_is_no_database_is_a_fault(settings: Settings, tmp_path: Path):
    path = tmp_path / "notes.sqlite3"
    path.write_text("not a database at all")

    checks = await looked(settings, f"sqlite://{path}")

    assert checks["database"].state is State.FAULT
    assert "file is not a database" in checks["database"].found
    assert path.read_text() == "not a database at all"


async def test_a_server_that_cannot_be_reached_is_a_fault(settings: Settings):
    checks = await looked(settings, "postgres://nobody@127.0.0.1:9/shop?connect_timeout_s=1")

    assert checks["database"].state is State.FAULT
    assert "LOYALTY_DATABASE_URL" in checks["database"].advice


@pytest.mark.sqlite
async def test_a_database_without_tables_wants_to_be_migrated(settings: Settings, tmp_path: Path):
    url = f"sqlite://{tmp_path}/empty.sqlite3"
    async with open_database(url):
        pass

    checks = await looked(settings, url)

    assert checks["schema"].advice == "Run `loyalty-graph migrate`."
    assert states(checks)["ledger"] == "SKIPPED"


@pytest.mark.sqlite
async def test_settings_of_sqlite_are_those_of_our_writer(settings: Settings, database_url: str):
    checks = await looked(settings, database_url)

    assert checks["database settings"].found.startswith("journal_mode wal, synchronous 2")
    assert "clock" not in checks


@pytest.mark.postgres
async def test_a_server_that_may_lose_points_is_a_fault(settings: Settings, database_url: str):
    checks = await looked(settings, database_url)

    assert checks["database settings"].state is State.FAULT  # The tests' own server is in a hurry.
    assert "fsync is off" in checks["database settings"].found
    assert "fsync = on" in checks["database settings"].advice
    assert checks["connections"].state is State.OK


@pytest.mark.postgres
async def test_a_clock_that_differs_from_the_servers_is_a_fault(
    settings: Settings, database_url: str
):
    checks = await looked(settings, database_url)  # At noon of a day long ago.

    assert checks["clock"].state is State.FAULT
    assert "NTP" in checks["clock"].advice


@pytest.mark.usefixtures("database")
async def test_what_waits_is_told_with_its_age():
    await FactRow.create(
        id=UUID(int=(int(NOON.timestamp() * 1000) << 80) | 7 << 76),
        program_id=UUID(int=1),
        kind="member.enrolled",
        at=NOON,
        payload={},
    )
    await pushes.want([Wanted("GOOGLE", "issuer", "card", 1, NOON)], now=NOON)

    soon, late, lost = [await queued(NOON + age * SECOND) for age in (1, 65, 3601)]

    assert soon["queue of facts"].found == "1 waits, the oldest for 1 s"
    assert states(soon)["queue of google pushes"] == "OK"
    assert states(late)["queue of facts"] == "WARNING"
    assert states(late)["queue of google pushes"] == "WARNING"
    assert states(lost)["queue of facts"] == "FAULT"
    assert lost["queue of google pushes"].found == "1 waits, the oldest for 3,601 s"
    assert lost["queue of apple pushes"].found == "nothing waits"


@pytest.mark.usefixtures("database")
async def test_dead_jobs_are_a_fault_and_running_ones_do_not_wait():
    common = {"program_id": UUID(int=1), "kind": "tiers.review", "due_at": NOON, "error": ""}
    await JobRow.create(id=UUID(int=1), key="a", attempts=9, dead_at=NOON, **common)
    await JobRow.create(
        id=UUID(int=2), key="b", attempts=1, lease=UUID(int=3), leased_until=NOON + DAY, **common
    )

    checks = await queued(NOON + 2 * SECOND)

    assert checks["queue of jobs"].found == "nothing waits"
    assert checks["dead jobs"].found == "1 was tried too often"
    assert "jobs retry" in checks["dead jobs"].advice


@pytest.mark.usefixtures("database")
async def test_alarms_are_told_until_they_are_over():
    await alarms.raise_alarm("apple.certificate", "It ended.", NOON)

    [alarm] = await doctor_database.look_at_alarms()

    assert alarm.found == "It ended. (since 2026-03-02 12:00 UTC)"


async def test_books_that_add_up_are_well(shop: Shop, ada: Member):
    await shop.buy(ada)

    [books] = [check async for check in doctor_database.look_at_books()]

    assert (books.name, books.state) == ("ledger of bean-club", State.OK)
    assert books.found == "1 account and 1 transfer looked at, no difference"


async def test_a_balance_that_somebody_changed_is_a_fault(shop: Shop, ada: Member):
    await shop.buy(ada)
    await sabotage("UPDATE account SET balance_points = balance_points + 1")

    [books] = [check async for check in doctor_database.look_at_books()]

    assert books.state is State.FAULT
    assert "ledger verify" in books.advice


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("https://cards.example.com", "OK"),
        ("http://localhost:8000", "WARNING"),
        ("http://cards.example.com", "FAULT"),
    ],
)
def test_phones_need_a_public_https_address(url: str, state: str):
    check = doctor_settings.look_at_public_url(Settings(public_url=url))

    assert check.state == state


@pytest.fixture
def apples(tmp_path: Path) -> Settings:
    """Settings with a certificate that is good from 380 days ago on, for 395 days."""
    folder = tmp_path / "apple"
    put_issuer(folder)
    put_bundle(folder, "old", APPLES.issue(begins=NOON - 380 * DAY), password="open")
    return Settings(
        data_dir=tmp_path,
        apple_certificates=folder,
        apple_key_password="open",
        pass_type_identifier=CARD.pass_type_identifier,
        team_identifier=CARD.team_identifier,
    )


@pytest.mark.parametrize(("days", "state"), [(-100, "OK"), (0, "WARNING"), (30, "FAULT")])
def test_a_certificate_is_told_before_it_ends(apples: Settings, days: int, state: str):
    [check] = doctor_settings.look_at_certificates(apples, NOON + days * DAY)

    assert check.state == state


def test_a_renewed_certificate_that_fails_is_told_beside_the_one_that_signs(apples: Settings):
    assert apples.apple_certificates
    (apples.apple_certificates / "new.p12").write_bytes(b"no bundle")

    signs, fails = doctor_settings.look_at_certificates(apples, NOON - 100 * DAY)

    assert signs.state is State.OK
    assert "new.p12" in fails.found


def test_settings_that_are_only_half_given_are_told(tmp_path: Path):
    half = Settings(data_dir=tmp_path, pass_type_identifier="pass.com.example")

    [check] = doctor_settings.look_at_certificates(half, NOON)

    assert "LOYALTY_APPLE_CERTIFICATE" in check.found


def test_key_files_that_others_can_read_are_told(settings: Settings):
    folder = settings.data_dir / "checkpoint-keys"
    folder.mkdir(parents=True)
    (folder / "1.pem").write_text("-----BEGIN PRIVATE KEY-----\nbroken")
    (folder / "1.pem").chmod(0o644)

    checks = {check.name: check for check in doctor_settings.look_at_keys(settings)}

    assert checks["key files"].advice == f"chmod 600 {folder / '1.pem'}"
    assert checks["checkpoint keys"].state is State.FAULT


def test_of_a_replaced_key_of_checkpoints_everybody_may_read_what_is_left(settings: Settings):
    folder = key_folder(settings)
    signing_key(folder)
    replace_key(folder)
    folder.joinpath("0001.pem").chmod(0o644)

    checks = {check.name: check for check in doctor_settings.look_at_keys(settings)}

    assert "key files" not in checks
    assert checks["checkpoint keys"].state is State.OK


def test_all_files_with_secrets_are_looked_at(settings: Settings, tmp_path: Path):
    bundles = tmp_path / "apple"
    names = ["member-development.pem", "pass-keys/0001.key"]
    files = [*(settings.data_dir / name for name in names), bundles / "a.password"]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("-----BEGIN PRIVATE KEY-----")
        file.chmod(0o644)
    told = settings.model_copy(update={"apple_certificates": bundles})

    checks = {check.name: check for check in doctor_settings.look_at_keys(told)}

    assert checks["key files"].advice == f"chmod 600 {' '.join(map(str, sorted(files)))}"


def test_a_service_account_that_cannot_be_used_is_told(tmp_path: Path):
    path = tmp_path / "google.json"
    path.write_text("{}")
    told = Settings(
        data_dir=tmp_path, secret_key="s" * 32, google_service_account=path, google_issuer_id="7"
    )

    checks = {check.name: check for check in doctor_settings.look_at_keys(told)}

    assert checks["Google account"].state is State.FAULT
    assert checks["secret key"].state is State.OK


async def test_an_issuer_whose_keys_cannot_be_read_is_told(tmp_path: Path):
    there = tmp_path / "jwks.json"
    there.write_text("{}")
    known = MemberIssuer(issuer="https://id.example", audience="shop", jwks=str(there))
    gone = known.model_copy(update={"jwks": str(tmp_path / "gone.json")})

    well = await doctor_settings.look_at_issuers(Settings(member_issuers=(known,)))
    bad = await doctor_settings.look_at_issuers(Settings(member_issuers=(known, gone)))

    assert (well.state, well.found) == (State.OK, "https://id.example")
    assert (bad.state, bad.found) == (
        State.FAULT,
        "the keys of https://id.example cannot be read: FileNotFoundError",
    )


@pytest.mark.parametrize(("free", "state"), [(10 << 30, "OK"), (1 << 30, "WARNING"), (0, "FAULT")])
def test_a_disk_that_fills_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
):
    def usage(_folder: Path) -> SimpleNamespace:
        return SimpleNamespace(total=100 << 30, free=free)

    monkeypatch.setattr(doctor_settings.shutil, "disk_usage", usage)

    checks = list(
        doctor_settings.look_at_disk(Settings(data_dir=tmp_path), f"sqlite://{tmp_path}/a.sqlite3")
    )

    assert [check.state for check in checks] == [state]


async def test_neighbours_that_cannot_be_reached_are_told():
    told = Settings(redis_url="redis://127.0.0.1:9/0")

    [check] = await doctor_settings.look_at_neighbours(told)

    assert check.state is State.WARNING
    assert check.found.startswith("127.0.0.1, port 9, cannot be reached")
    assert check.advice.startswith("See that it runs")
