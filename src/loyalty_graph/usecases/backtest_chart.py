"""A backtest as a picture: what each rule would have given month by month, and what was given."""

from collections.abc import Iterator, Sequence
from math import ceil

from markupsafe import Markup

from loyalty_graph.usecases.backtest_report import Backtest, RuleTotal

WIDTH, HEIGHT = 880, 450
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 56, 130
COLORS = ("#2f6f9f", "#e08a3c", "#4f9d69", "#b6527e", "#8a74c9", "#c9a227", "#5aa9a3")
OTHERS = "#8f98a3"
GRID_STEPS = 4
LEGEND_COLUMNS = 2
LEGEND_WIDTH, LEGEND_HEIGHT = 400, 18
NAME_SHOWN_MAX = 50
BAR_WIDTH_MAX = 120

_STYLE = Markup(
    "text{font:12px system-ui,sans-serif;fill:#2b3137}"
    ".title{font-size:15px;font-weight:600}.grid{stroke:#d9dee3}"
    ".before{fill:none;stroke:#1d2329;stroke-width:2}.dot{fill:#1d2329}"
    ".back{fill:#ffffff}"
    "@media(prefers-color-scheme:dark){text{fill:#e3e7eb}.grid{stroke:#3b434b}"
    ".before{stroke:#f2f4f6}.dot{fill:#f2f4f6}.back{fill:#1b2026}}"
)


def draw(report: Backtest, *, title: str) -> str:
    """Return an SVG of points by month: bars of the proposed version, a line of what happened."""
    rules = _drawn(report)
    months = sorted(report.months)
    totals = [sum(max(0, points) for _, _, points in _stack(rules, month)) for month in months]
    top = _round_up(max([*totals, *(report.months[one][0] for one in months), 1]))
    body = Markup("").join(
        [*_grid(top), *_bars(rules, months, top), *_line(report, months, top), *_legend(rules)]
        if months
        else [_nothing()]
    )
    what = f"{title}. Bars: points under the proposed version. Line: points that were given."
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" role="img"'
        ' aria-label="{what}"><style>{style}</style>'
        '<rect class="back" width="{w}" height="{h}"/>'
        '<text class="title" x="{left}" y="26">{title}: points by month</text>{body}</svg>\n'
    ).format(w=WIDTH, h=HEIGHT, what=what, style=_STYLE, left=LEFT, title=title, body=body)


def _drawn(report: Backtest) -> list[tuple[str, str, Sequence[RuleTotal]]]:
    """Return (name, colour, rules) of what is drawn: the largest by themselves, the rest as one."""
    given = [one for one in report.rules.values() if one.points]
    largest = sorted(given, key=lambda one: -one.points)
    alone, others = largest[: len(COLORS)], largest[len(COLORS) :]
    drawn: list[tuple[str, str, Sequence[RuleTotal]]] = [
        (one.name, color, (one,)) for one, color in zip(alone, COLORS, strict=False)
    ]
    return [*drawn, (f"{len(others)} more", OTHERS, others)] if others else drawn


def _stack(
    rules: Sequence[tuple[str, str, Sequence[RuleTotal]]], month: str
) -> Iterator[tuple[str, str, int]]:
    for name, color, parts in rules:
        yield name, color, sum(one.by_month.get(month, 0) for one in parts)


def _round_up(value: int) -> int:
    """Return a round number not below a value, that parts into the steps of the grid."""
    unit = int("1".ljust(len(str(value)) - 1, "0")) * GRID_STEPS
    return -(-value // unit) * unit


def _y(points: int, top: int) -> int:
    height = HEIGHT - TOP - BOTTOM
    return HEIGHT - BOTTOM - points * height // top


def _grid(top: int) -> Iterator[Markup]:
    for step in range(GRID_STEPS + 1):
        points = top * step // GRID_STEPS
        y = _y(points, top)
        yield Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text x="{}" y="{}" text-anchor="end">{}</text>'
        ).format(LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, f"{points:,}")


def _bars(
    rules: Sequence[tuple[str, str, Sequence[RuleTotal]]], months: Sequence[str], top: int
) -> Iterator[Markup]:
    slot = (WIDTH - LEFT - RIGHT) // max(1, len(months))
    width = min(max(2, slot * 2 // 3), BAR_WIDTH_MAX)
    for place, month in enumerate(months):
        x, base = LEFT + place * slot + (slot - width) // 2, 0
        for name, color, points in _stack(rules, month):
            if points <= 0:
                continue
            y, below = _y(base + points, top), _y(base, top)
            base += points
            yield Markup(
                '<rect x="{}" y="{}" width="{}" height="{}" fill="{}"><title>{}</title></rect>'
            ).format(x, y, width, below - y, color, f"{month}, {name}: {points:,}")
        if place % ceil(len(months) / 12) == 0:
            yield Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
                x + width // 2, HEIGHT - BOTTOM + 18, month
            )


def _line(report: Backtest, months: Sequence[str], top: int) -> Iterator[Markup]:
    slot = (WIDTH - LEFT - RIGHT) // max(1, len(months))
    points = [
        (LEFT + place * slot + slot // 2, _y(report.months[month][0], top))
        for place, month in enumerate(months)
    ]
    yield Markup('<polyline class="before" points="{}"/>').format(
        " ".join(f"{x},{y}" for x, y in points)
    )
    for x, y in points:
        yield Markup('<circle class="dot" cx="{}" cy="{}" r="3"/>').format(x, y)


def _legend(rules: Sequence[tuple[str, str, Sequence[RuleTotal]]]) -> Iterator[Markup]:
    entries = [*((name, color) for name, color, _ in rules), ("what was given", None)]
    for place, (name, color) in enumerate(entries):
        row, column = divmod(place, LEGEND_COLUMNS)
        x, y = LEFT + column * LEGEND_WIDTH, HEIGHT - BOTTOM + 42 + row * LEGEND_HEIGHT
        mark = (
            Markup('<line class="before" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                x, x + 12, y - 4, y - 4
            )
            if color is None
            else Markup('<rect x="{}" y="{}" width="12" height="12" fill="{}"/>').format(
                x, y - 10, color
            )
        )
        yield mark + Markup('<text x="{}" y="{}">{}</text>').format(x + 18, y, _short(name))


def _short(name: str) -> str:
    """Return a name that does not run into the next column; the bars' own titles have it whole."""
    return name if len(name) <= NAME_SHOWN_MAX else f"{name[: NAME_SHOWN_MAX - 1].rstrip()}…"


def _nothing() -> Markup:
    middle = (LEFT + WIDTH - RIGHT) // 2
    return Markup(
        '<text x="{}" y="{}" text-anchor="middle">No purchases in this time.</text>'
    ).format(middle, HEIGHT // 2)
