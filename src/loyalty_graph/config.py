"""The settings, read from the environment, and where the packed resources are."""

import os
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSettings

from loyalty_graph.errors import SettingsError

ENV_PREFIX = "LOYALTY_"
PACKAGE = Path(__file__).parent
SECRET_KEY_BYTES = 32
SECRET_KEY_LENGTH_MIN = 32
METRICS_TOKEN_LENGTH_MIN = 16
LINK_KEY_FILE = "secret.key"
APNS_URL = "https://api.push.apple.com"
HTTPS_HOST = r"^https://([\w.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?/?$"
GOOGLE_URL = "https://walletobjects.googleapis.com"
GOOGLE_KEYS_URL = "https://pay.google.com/gp/m/issuer/keys"
HTTPS_OR_HERE = r"^(https://[^/]|http://(127\.0\.0\.1|localhost)[:/])"
FOLLOWS_FROM_ANOTHER = "default_factory_not_called"  # pydantic's word for it


def _default_database(values: dict[str, Any]) -> str:
    return f"sqlite://{(values['data_dir'] / 'loyalty.sqlite3').absolute()}"


def _default_public_url(values: dict[str, Any]) -> str:
    return f"http://{values['host']}:{values['port']}"


MemberAlgorithm = Literal["EdDSA", "RS256", "ES256"]
"""Signatures of public keys only: who can check a token must not be able to make one."""


class MemberIssuer(BaseModel):
    """Who signs members in, and which of its tokens are good here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    # A file, or a URL; without TLS only on this machine.
    jwks: str = Field(pattern=r"^(https://[^/]|http://(127\.0\.0\.1|localhost)[:/]|[^:]+$)")
    algorithms: tuple[MemberAlgorithm, ...] = Field(("EdDSA", "RS256", "ES256"), min_length=1)
    leeway_s: int = Field(default=30, ge=0, le=300)
    # What `sub` holds.
    subject: Literal["id", "external_id"] = "external_id"
    # The slug of the programme; without it the token's claim `program`, or the only one there is.
    program: str | None = None


class Settings(BaseSettings):
    """What an operator may set, each as LOYALTY_ and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore")

    data_dir: Path = Path(".loyalty")
    # It may hold a password, so it is not shown.
    database_url: str = Field(default_factory=_default_database, repr=False)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str = Field(default_factory=_default_public_url, pattern=r"^https?://[^/]")
    secret_key: SecretStr | None = Field(default=None, min_length=SECRET_KEY_LENGTH_MIN)
    # Off where `loyalty-graph worker` runs in processes of its own.
    worker: bool = True
    # Valkey or Redis: carries nudges between processes. It may hold a password.
    redis_url: str | None = Field(default=None, pattern=r"^(rediss?|unix)://", repr=False)
    # One JSON object a line, or text for people; without it, text on a terminal only.
    log_format: Literal["json", "console"] | None = None
    # Spans of what is done, sent by OTLP: OTEL_EXPORTER_OTLP_ENDPOINT says where. Needs the extra.
    traces: bool = False
    # A port of its own where this process tells Prometheus what it counts; with several, the next.
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    # Who asks for metrics from elsewhere brings it.
    metrics_token: SecretStr | None = Field(default=None, min_length=METRICS_TOKEN_LENGTH_MIN)
    # As JSON. While there is none, a development key in the data folder signs members in.
    member_issuers: tuple[MemberIssuer, ...] = ()

    # A folder of keys that sign the ledger's checkpoints, oldest first by name: the last one signs.
    checkpoint_keys: Path | None = None

    # To how many members a second a change of the look is brought.
    rollout_per_s: int = Field(default=200, ge=1, le=100_000)
    # As JSON, oldest first; passes in phones need theirs for ever, so keys are only added.
    pass_token_keys: tuple[Annotated[SecretStr, Field(min_length=SECRET_KEY_LENGTH_MIN)], ...] = ()
    # Memory for signed pass files; a card's own part is a few kilobytes.
    pass_cache_mb: int = Field(default=64, ge=0, le=65_536)
    # A folder with the certificates of one pass type: the newest that is valid signs.
    apple_certificates: Path | None = None
    apple_certificate: Path | None = None
    apple_key: Path | None = None
    apple_key_password: SecretStr | None = None
    apple_issuer: Path | None = None
    pass_type_identifier: str | None = Field(default=None, pattern=r"^pass\.[\w.-]+$")
    team_identifier: str | None = Field(default=None, pattern=r"^[A-Z0-9]{10}$")
    # A sandbox may stand in for it; with the development CA nothing is pushed unless it is set.
    apns_url: str = Field(default=APNS_URL, pattern=HTTPS_HOST)
    # PEM; trusted in place of the system's roots.
    apns_root: Path | None = None

    google_service_account: Path | None = None
    google_issuer_id: str | None = Field(default=None, pattern=r"^[0-9]{1,40}$")
    # A sandbox may stand in for both.
    google_url: str = Field(default=GOOGLE_URL, pattern=HTTPS_OR_HERE)
    google_keys_url: str = Field(default=GOOGLE_KEYS_URL, pattern=HTTPS_OR_HERE)
    # How many requests the issuer has in a second, all workers together.
    google_per_s: int = Field(default=20, ge=1, le=10_000)

    # Card templates of one's own, beside those of the package.
    templates_dir: Path | None = None
    # Official artwork for the buttons of the card page.
    badge_dir: Path | None = None


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: one cannot be used; the message names each of them, without its value.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = [
            f"{ENV_PREFIX}{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
            if fault["type"] != FOLLOWS_FROM_ANOTHER
        ]
    except UnreadableSettings as error:
        # It says `error parsing value for field "name" from source ...`, without the value.
        name = str(error).partition('"')[2].partition('"')[0]
        faults = [f"{ENV_PREFIX}{name.upper()}: it is not JSON"]
    raise SettingsError(f"Settings that cannot be used: {'; '.join(faults)}.")


def data_folder(settings: Settings) -> Path:
    """Return the data folder, made on first use and closed to other users.

    Raises:
        SettingsError: It cannot be made or written; nothing was made.
    """
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        fault = f"The data folder {folder} cannot be made: {error.strerror}"
        raise SettingsError(f"{fault}; name another in {ENV_PREFIX}DATA_DIR.") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise SettingsError(
            f"The data folder {folder} cannot be read and written;"
            f" mend it, or name another in {ENV_PREFIX}DATA_DIR."
        )
    return folder


def secret_key(settings: Settings) -> bytes:
    """Return the key our signed links rest on; without a setting, one is made once and kept.

    It is kept in the data folder, in a file only its owner can read.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    path = data_folder(settings) / LINK_KEY_FILE
    if not path.exists():
        write_once(path, secrets.token_hex(SECRET_KEY_BYTES))
    return path.read_bytes()


def bundled(name: str) -> Path:
    """Return where a packed resource is, such as `presets` or `schema.graphql`.

    A wheel carries them inside the package; in a clone they are at the root of the repository.
    """
    packed = PACKAGE / "_bundled"
    return (packed if packed.is_dir() else PACKAGE.parents[1]) / name


def write_once(path: Path, text: str) -> None:
    """Write a whole file or none; when several processes start at once, the first one wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def write_over(path: Path, text: str) -> None:
    """Write a whole file in the place of the one that is there, for its owner alone."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
