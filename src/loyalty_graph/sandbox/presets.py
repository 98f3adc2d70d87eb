"""The programmes that come with the product, by the names of their files."""

from pathlib import Path

from loyalty_graph.config import bundled
from loyalty_graph.errors import NotFoundError

PRESETS = "presets"
USUAL = "corner-grocer"


def presets() -> dict[str, Path]:
    """Return the file of each preset, in the order of their names."""
    return {path.stem: path for path in sorted(bundled(PRESETS).glob("*.toml"))}


def preset_file(name: str) -> Path:
    """Return the file of a preset.

    Raises:
        NotFoundError: There is none of this name; the message lists those there are.
    """
    known = presets()
    if name not in known:
        raise NotFoundError("preset", name, place=f"this version; there are {', '.join(known)}")
    return known[name]
