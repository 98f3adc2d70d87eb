"""The text of a programme for a sandbox of its own: comments and all else stay as they are."""

from loyalty_graph.programs.places import Path, Spot, spots

SLUG: Path = ("program", "slug")
SANDBOX: Path = ("program", "sandbox")


def sandbox_text(text: str, *, slug: str) -> str:
    """Return the text of a sound programme file with another slug, marked as a sandbox."""
    found = spots(text)
    spot = found[SLUG]
    if SANDBOX in found:
        changes = [(found[SANDBOX], "true"), (spot, f'"{slug}"')]
    else:
        changes = [(_sandbox_place(text, spot), _sandbox_setting(text, spot)), (spot, f'"{slug}"')]
    for place, value in sorted(changes, key=lambda change: -change[0].start):
        text = text[: place.start] + value + text[place.end :]
    return text


def _sandbox_place(text: str, slug: Spot) -> Spot:
    """Return where the mark goes: behind the slug's line, or behind the slug in an inline table."""
    end = slug.end
    if not _is_inline(text):
        line_end = text.find("\n", end)
        end = len(text) if line_end < 0 else line_end
    return Spot(end, end, end)


def _sandbox_setting(text: str, slug: Spot) -> str:
    if _is_inline(text):
        return ", sandbox = true"
    ahead = text[text.rfind("\n", 0, slug.key) + 1 : slug.key]
    return f"\n{ahead}sandbox = true"


def _is_inline(text: str) -> bool:
    program = spots(text)["program",]
    return text[program.start] == "{"
