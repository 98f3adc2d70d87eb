"""The programmes that come with the product, by the names of their files."""

from datetime import datetime
from pathlib import Path

from loyalty_graph.config import bundled
from loyalty_graph.errors import NotFoundError
from loyalty_graph.programs import service as programs
from loyalty_graph.usecases import program_file
from loyalty_graph.usecases.program_copies import sandbox_text
from loyalty_graph.usecases.program_text import text_of

PRESETS = "presets"
USUAL = "corner-grocer"
ACTOR = "demo"


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


def about(path: Path) -> str:
    """Return what a preset says of itself: the first line of its file."""
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


async def open_preset(name: str, *, now: datetime) -> programs.Version:
    """Open the programme of a preset in the open database, as a sandbox.

    Raises:
        NotFoundError: There is no such preset.
    """
    path = preset_file(name)
    file = program_file.read(path)
    sandbox = file.model_copy(update={"program": file.program.as_sandbox()})
    text = sandbox_text(text_of(path), slug=file.program.slug)
    return await program_file.load(sandbox, now=now, origin=programs.Origin(text, actor=ACTOR))
