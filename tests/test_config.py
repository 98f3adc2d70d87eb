"""The settings and the packed resources."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from loyalty_graph import config
from loyalty_graph.config import bundled, data_folder, load_settings, secret_key
from loyalty_graph.errors import SettingsError

APPLE = {
    "LOYALTY_APPLE_CERTIFICATE": "/keys/pass.pem",
    "LOYALTY_APPLE_KEY": "/keys/pass.key",
    "LOYALTY_APPLE_KEY_PASSWORD": "hush",
    "LOYALTY_APPLE_ISSUER": "/keys/wwdr.pem",
    "LOYALTY_PASS_TYPE_IDENTIFIER": "pass.example.club",
    "LOYALTY_TEAM_IDENTIFIER": "ABCDE12345",
}


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOYALTY_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_without_settings_everything_is_in_the_data_folder(data_dir: Path):
    settings = load_settings()

    assert settings.database_url == f"sqlite://{data_dir}/loyalty.sqlite3"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert not data_dir.exists()


def test_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch):
    for name, value in APPLE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "postgres://ada:hush@db/loyalty")
    monkeypatch.setenv("LOYALTY_PORT", "9000")

    settings = load_settings()

    assert settings.database_url == "postgres://ada:hush@db/loyalty"
    assert settings.public_url == "http://127.0.0.1:9000"
    assert settings.apple_issuer == Path("/keys/wwdr.pem")
    assert settings.team_identifier == "ABCDE12345"
    assert "hush" not in repr(settings)


def test_settings_do_not_change_while_we_run():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().port = 9000


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("LOYALTY_PORT", "0", "greater than or equal to 1"),
        ("LOYALTY_PORT", "http", "valid integer"),
        ("LOYALTY_PUBLIC_URL", "cards.example", "match pattern"),
        ("LOYALTY_SECRET_KEY", "too short", "at least 32"),
        ("LOYALTY_TEAM_IDENTIFIER", "abc", "match pattern"),
        ("LOYALTY_PASS_TYPE_IDENTIFIER", "example.club", "match pattern"),
        ("LOYALTY_APNS_URL", "http://127.0.0.1:2197", "match pattern"),
        ("LOYALTY_APNS_URL", "https://user@host", "match pattern"),
        ("LOYALTY_APNS_URL", "https://host/3/device", "match pattern"),
    ],
)
def test_a_bad_setting_is_named_without_its_value(
    name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=reason) as refusal:
        load_settings()

    assert f"{name}: " in refusal.value.message
    assert f"'{value}'" not in refusal.value.message


def test_the_data_folder_is_closed_to_others(data_dir: Path):
    folder = data_folder(load_settings())

    assert folder == data_dir
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_secret_key_is_made_once_and_kept(data_dir: Path):
    first = secret_key(load_settings())
    again = secret_key(load_settings())

    assert first == again
    assert len(first) == 64
    assert [path.name for path in data_dir.iterdir()] == ["secret.key"]
    assert (data_dir / "secret.key").stat().st_mode & 0o777 == 0o600


def test_of_two_processes_that_make_the_key_the_first_one_wins(data_dir: Path):
    first = secret_key(load_settings())

    config.write_once(data_dir / "secret.key", "another")

    assert secret_key(load_settings()) == first


def test_a_secret_key_can_be_set(monkeypatch: pytest.MonkeyPatch, data_dir: Path):
    monkeypatch.setenv("LOYALTY_SECRET_KEY", "k" * 32)

    assert secret_key(load_settings()) == b"k" * 32
    assert not data_dir.exists()


def test_resources_come_from_the_clone_or_from_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert bundled("schema.graphql").is_file()

    monkeypatch.setattr(config, "PACKAGE", tmp_path)
    (tmp_path / "_bundled").mkdir()
    assert bundled("presets") == tmp_path / "_bundled" / "presets"


def test_issuers_are_read_as_json(monkeypatch: pytest.MonkeyPatch):
    given = '[{"issuer": "https://a", "audience": "b", "jwks": "https://a/keys"}]'
    monkeypatch.setenv("LOYALTY_MEMBER_ISSUERS", given)

    [issuer] = load_settings().member_issuers

    assert (issuer.algorithms, issuer.leeway_s, issuer.subject) == (
        ("EdDSA", "RS256", "ES256"),
        30,
        "external_id",
    )


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("{", "LOYALTY_MEMBER_ISSUERS: it is not JSON"),
        ("[{}]", "LOYALTY_MEMBER_ISSUERS_0_ISSUER: Field required"),
        (
            '[{"issuer": "a", "audience": "b", "jwks": "c", "algorithms": ["HS256"]}]',
            "LOYALTY_MEMBER_ISSUERS_0_ALGORITHMS_0: Input should be 'EdDSA', 'RS256' or 'ES256'",
        ),
        (
            '[{"issuer": "a", "audience": "b", "jwks": "http://keys.example/jwks"}]',
            "LOYALTY_MEMBER_ISSUERS_0_JWKS: String should match pattern",
        ),
        (
            '[{"issuer": "a", "audience": "b", "jwks": "file:///etc/passwd"}]',
            "LOYALTY_MEMBER_ISSUERS_0_JWKS: String should match pattern",
        ),
    ],
)
def test_issuers_that_cannot_be_used_are_refused(
    given: str, fault: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOYALTY_MEMBER_ISSUERS", given)

    with pytest.raises(SettingsError) as refusal:
        load_settings()

    assert fault in refusal.value.message
