"""What the fake Google knows, written to a file and read again: Google forgets nothing either."""

from pathlib import Path

from pydantic import BaseModel, ValidationError

from loyalty_graph.sandbox.google_store import Resource, Store


class _Kept(BaseModel):
    """What is written between two starts."""

    classes: dict[str, Resource]
    objects: dict[str, Resource]
    holders: dict[str, set[str]]


def write(store: Store, path: Path) -> None:
    """Write classes, objects and who holds them to a file, for its owner to read."""
    kept = _Kept(classes=store.classes, objects=store.objects, holders=store.holders)
    path.touch(mode=0o600)
    path.write_text(kept.model_dump_json())


def read(store: Store, path: Path) -> None:
    """Go on with what was written to a file, if there is one that this version reads."""
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return
    store.classes, store.objects, store.holders = kept.classes, kept.objects, kept.holders
