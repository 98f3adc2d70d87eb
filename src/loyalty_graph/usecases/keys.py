"""The keys that this installation makes by itself: which there are, and how a new one takes over.

Nothing here shows a secret. What customers hold (passes, links, codes, tokens) stays good.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from loyalty_graph.config import LINK_KEY_FILE, Settings
from loyalty_graph.errors import SettingsError
from loyalty_graph.identity import development_issuer
from loyalty_graph.ledger import checkpoint_keys
from loyalty_graph.ledger.checkpoints import key_id
from loyalty_graph.wallet import key_rings, link_keys
from loyalty_graph.wallet.apple import tokens


class Kind(StrEnum):
    """What a key is for."""

    PASS = "pass"  # noqa: S105 - the word for a card
    """The tokens that passes in phones show."""
    LINK = "link"
    """Links to passes, good for a week."""
    MEMBER = "member"
    """The development key that signs members in, where no issuer is set."""
    CHECKPOINT = "checkpoint"
    """Checkpoints of the ledger."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret.

    Attributes:
        kind: What it is for.
        name: What tells it apart.
        place: Where it is: a file, or the name of a setting.
        made_at: When its file was written; None where nobody knows.
        newest: Whether it is the one that is used for what is new.
    """

    kind: Kind
    name: str
    place: str
    made_at: datetime | None
    newest: bool


def listed(settings: Settings) -> list[Key]:
    """Return the keys there are, by kind, oldest first.

    Raises:
        SettingsError: One cannot be read.
    """
    found = []
    for kind, of_kind in (
        (Kind.PASS, list(_of_passes(settings))),
        (Kind.LINK, [_secret(settings), *_of_ring(settings.data_dir / link_keys.FOLDER, 1)]),
        (Kind.MEMBER, list(_of_members(settings))),
        (Kind.CHECKPOINT, list(_of_checkpoints(settings))),
    ):
        last = len(of_kind) - 1
        found += [
            Key(kind, name, place, made_at, place_in_order == last)
            for place_in_order, (name, place, made_at) in enumerate(of_kind)
        ]
    return found


def rotate(settings: Settings, kind: Kind, *, now: datetime) -> Key:
    """Make a new key that is used from now on; what rests on those before stays good.

    Servers take it up by themselves. Passes keep theirs for life, links for a week, tokens of
    members for 30 days; of a key of checkpoints the public part is kept.

    Raises:
        SettingsError: Such keys are set elsewhere, or the new one cannot be written.
    """
    if kind is Kind.PASS:
        if settings.pass_token_keys:
            raise SettingsError(
                "LOYALTY_PASS_TOKEN_KEYS is set: add a key of at least 32 random characters at its"
                " end, for all processes, and start them anew."
            )
        key_rings.add_key(settings.data_dir / tokens.FOLDER)
    elif kind is Kind.LINK:
        key_rings.add_key(settings.data_dir / link_keys.FOLDER)
    elif kind is Kind.MEMBER:
        development_issuer.replace_key(settings, now=now)
    else:
        checkpoint_keys.replace_key(checkpoint_keys.key_folder(settings))
    return next(key for key in listed(settings) if key.kind is kind and key.newest)


_Found = tuple[str, str, datetime | None]


def _of_passes(settings: Settings) -> Iterator[_Found]:
    yield _secret(settings)
    number = len(settings.pass_token_keys)
    for generation in range(1, number + 1):
        yield f"generation {generation}", "LOYALTY_PASS_TOKEN_KEYS", None
    yield from _of_ring(settings.data_dir / tokens.FOLDER, number + 1)


def _of_ring(folder: Path, first: int) -> Iterator[_Found]:
    for generation, key in enumerate(key_rings.read_keys(folder), first):
        yield f"generation {generation}", str(key.path), key.made_at


def _secret(settings: Settings) -> _Found:
    path = settings.data_dir / LINK_KEY_FILE
    if settings.secret_key is not None:
        return "the secret key", "LOYALTY_SECRET_KEY", None
    return "the secret key", str(path), _written(path)


def _of_members(settings: Settings) -> Iterator[_Found]:
    path = settings.data_dir / development_issuer.JWKS_FILE
    for name in development_issuer.published(settings):
        yield name, str(path), None


def _of_checkpoints(settings: Settings) -> Iterator[_Found]:
    for path, public in checkpoint_keys.listed(checkpoint_keys.key_folder(settings)):
        yield key_id(public), str(path), _written(path)


def _written(path: Path) -> datetime | None:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else None
