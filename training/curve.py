"""The learning curve of a run, read from its log and drawn as a small SVG."""

import csv
from pathlib import Path

Point = tuple[int, float]


def read_curve(run: Path, column: str) -> list[Point]:
    """(step, value) of `column` in the run's logs, in order; where a resumed run repeated a step, the later one."""
    points: dict[int, float] = {}
    for log in sorted(run.glob("log/**/metrics.csv"), key=lambda path: path.stat().st_mtime):
        with log.open() as lines:
            points.update(
                {int(row["step"]) + 1: float(row[column]) for row in csv.DictReader(lines) if row.get(column)}
            )
    return sorted(points.items())


def averaged(curve: list[Point], num_points: int = 40) -> list[Point]:
    """At most `num_points` means of neighbouring points: losses of single batches scatter by several nats."""
    size = max(1, -(-len(curve) // num_points))
    parts = [curve[start : start + size] for start in range(0, len(curve), size)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


def curve_svg(curves: dict[str, list[Point]], unit: str, width: int = 640, height: int = 320) -> str:
    """Lines over steps, each with its name; the vertical axis ends at what the first tenth of the steps reached."""
    curves = {name: curve for name, curve in curves.items() if curve}
    points = [point for curve in curves.values() for point in curve]
    last = max(step for step, _ in points)
    settled = [value for step, value in points if step > last / 10]
    low, high = min(settled), max(settled)
    margin = 48

    def place(step: int, value: float) -> str:
        x = margin + (width - 2 * margin) * step / last
        y = margin + (height - 2 * margin) * (high - min(value, high)) / (high - low or 1)
        return f"{x:.1f},{y:.1f}"

    lines = []
    for k, (name, curve) in enumerate(curves.items()):
        color = ("#0b5fa5", "#b05a00", "#3f7d20")[k % 3]
        path = " ".join(place(*point) for point in curve if point[0] > last / 10)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        lines.append(f'<text x="{width - margin}" y="{margin + 16 * k}" text-anchor="end" fill="{color}">{name}</text>')
    lines += [
        f'<text x="4" y="{margin}">{high:.2f}</text>',
        f'<text x="4" y="{height - margin}">{low:.2f}</text>',
        f'<text x="4" y="20">{unit}</text>',
        f'<text x="{width - margin}" y="{height - 20}" text-anchor="end">{last} steps</text>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="13"><rect width="100%" height="100%" fill="white"/>{"".join(lines)}</svg>\n'
    )
