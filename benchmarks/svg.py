"""Figures as SVG, readable on light and dark pages, without a plotting library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 58, 48
NUM_COLORS = 4
_STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:14px;font-weight:600}
.page{fill:#fff}.grid{stroke:#d8dee4}.c0{--c:#0b5fa5}.c1{--c:#b05a00}.c2{--c:#1a7f37}.c3{--c:#8250df}
.line{fill:none;stroke:var(--c);stroke-width:2}.ideal{--c:#8c959f;stroke-width:8;stroke-opacity:.4}.dot,.bar{fill:var(--c)}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.grid{stroke:#30363d}
.c0{--c:#58a6ff}.c1{--c:#f0883e}.c2{--c:#3fb950}.c3{--c:#bc8cff}}
"""


@dataclass(frozen=True, slots=True)
class Line:
    """Points (x, y), all positive; `is_ideal`: what would be ideal, a broad band behind the others."""

    name: str
    points: Sequence[tuple[float, float]]
    is_ideal: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines over logarithmic axes."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Bar:
    """A value and what is written behind it; bars of one group stand together."""

    group: str
    name: str
    value: float
    text: str


def panels(parts: Sequence[Panel], columns: int = 2) -> str:
    """Panels side by side, `columns` in a row."""
    body = []
    for index, panel in enumerate(parts):
        x, y = index % columns * WIDTH, index // columns * HEIGHT
        body.append(f'<g transform="translate({x} {y})">{_panel(panel)}</g>')
    return _page(min(columns, len(parts)) * WIDTH, -(-len(parts) // columns) * HEIGHT, body)


def bars(title: str, label: str, parts: Sequence[Bar]) -> str:
    """Horizontal bars on a logarithmic axis, which `label` names; a colour a name."""
    names = list(dict.fromkeys(bar.name for bar in parts))
    scale = _Scale.of_values([bar.value for bar in parts], 220, 2 * WIDTH - 110)
    body, y, group = [_text(12, 24, title, "title"), _text(12, 42, label)], 56, ""
    top = y
    for bar in parts:
        if bar.group != group:
            group, y = bar.group, y + 8
            body.append(_text(12, y + 15, group))
        color = f"c{names.index(bar.name) % NUM_COLORS}"
        length = max(2.0, scale.place(bar.value) - scale.start)
        body.append(f'<rect class="bar {color}" x="{scale.start}" y="{y + 2}" width="{length:.1f}" height="16"/>')
        body.append(_text(scale.start - 8, y + 15, bar.name, anchor="end"))
        body.append(_text(scale.start + length + 6, y + 15, bar.text))
        y += 22
    for tick in scale.ticks():
        x = scale.place(tick)
        body.insert(0, f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{y}"/>')
        body.append(_text(x, y + 18, _number(tick), anchor="middle"))
    return _page(2 * WIDTH, y + 30, body)


class _Scale:
    """A logarithmic axis from `low` to `high`, laid from `start` to `end`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.start, self._end, self._low, self._high = start, end, math.log10(low), math.log10(high)

    @classmethod
    def of_values(cls, values: Sequence[float], start: float, end: float) -> "_Scale":
        """Whole decades where values span more than one, else closely around them."""
        low, high = min(values), max(values)
        if high > 10 * low:
            low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
        else:
            low, high = low / 1.4, high * 1.4
        return cls(low, high, start, end)

    def place(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self.start + share * (self._end - self.start)

    def ticks(self) -> list[float]:
        """Powers of ten; with 2 and 5 times them where these are few."""
        steps = (1.0,) if self._high - self._low > 2.5 else (1.0, 2.0, 5.0)
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        return [tick for tick in ticks if self._low - 1e-9 <= math.log10(tick) <= self._high + 1e-9]


def _panel(panel: Panel) -> str:
    xs = sorted({x for line in panel.lines for x, _ in line.points})
    x_scale = _Scale(xs[0] / 1.15, xs[-1] * 1.15, LEFT, WIDTH - RIGHT)
    y_scale = _Scale.of_values([y for line in panel.lines for _, y in line.points], HEIGHT - BOTTOM, TOP)
    body = [_text(12, 20, panel.title, "title")]
    for tick in y_scale.ticks():
        y = y_scale.place(tick)
        body.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        body.append(_text(LEFT - 6, y + 4, _number(tick), anchor="end"))
    body += [_text(x_scale.place(x), HEIGHT - BOTTOM + 16, _number(x), anchor="middle") for x in xs]
    body.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, panel.x_label, anchor="middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    body.append(f'<g transform="translate(14 {middle}) rotate(-90)">{_text(0, 0, panel.y_label, anchor="middle")}</g>')
    for index, line in sorted(enumerate(panel.lines), key=lambda entry: not entry[1].is_ideal):
        body.append(_line(line, index, x_scale, y_scale))
    return "".join(body)


def _line(line: Line, index: int, x_scale: _Scale, y_scale: _Scale) -> str:
    """The line, its points, and its name above the panel."""
    places = [(x_scale.place(x), y_scale.place(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    kind = "ideal" if line.is_ideal else f"c{index % NUM_COLORS}"
    x = LEFT + index * 120
    key = f'<polyline class="line {kind}" points="{x},38 {x + 18},38"/>{_text(x + 23, 42, line.name)}'
    dots = (
        ""
        if line.is_ideal
        else "".join(f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places)
    )
    return f'<polyline class="line {kind}" points="{path}"/>{dots}{key}'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _page(width: float, height: float, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<style>{_STYLE}</style><rect class="page" width="100%" height="100%"/>{"".join(body)}</svg>\n'
    )
