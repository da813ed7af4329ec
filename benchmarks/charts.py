"""Plots of how long things took, as SVG that needs no other program."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 56, 200, 40, 48
COLOURS = ("#0b6e4f", "#b3541e", "#3d5a98", "#7a4b8f", "#6b6b6b")
POINTS = 200


def shares(path: Path, title: str, times: Mapping[str, Sequence[float]]) -> None:
    """Draw, for each name, which share was done within so many milliseconds (logarithmic)."""
    every = [time for some in times.values() for time in some]
    low = 10 ** math.floor(math.log10(max(min(every), 0.01)))
    high = 10 ** math.ceil(math.log10(max(every)))

    def across(time: float) -> float:
        place = math.log(max(time, low) / low) / math.log(high / low)
        return LEFT + place * (WIDTH - LEFT - RIGHT)

    lines = [*_frame(title), *_grid(low, high, across)]
    for place, (name, some) in enumerate(times.items()):
        colour, at = COLOURS[place % len(COLOURS)], TOP + 20 * place + 8
        drawn = " ".join(f"{across(time):.1f},{_down(share):.1f}" for time, share in _curve(some))
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{drawn}"/>')
        x = WIDTH - RIGHT + 12
        lines.append(f'<rect x="{x}" y="{at - 8}" width="14" height="4" fill="{colour}"/>')
        lines.append(f'<text x="{x + 20}" y="{at}">{escape(name)}</text>')
    path.write_text("\n".join([*lines, "</svg>", ""]), "utf-8")


def _curve(times: Sequence[float]) -> Iterator[tuple[float, float]]:
    ordered = sorted(times)
    for step in range(POINTS + 1):
        share = step / POINTS
        yield ordered[min(int(share * len(ordered)), len(ordered) - 1)], share


def _down(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _frame(title: str) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="#222">'
    )
    yield f"<title>{escape(title)}</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    yield f'<text x="{LEFT}" y="22" font-size="14" font-weight="600">{escape(title)}</text>'
    yield f'<text x="{LEFT}" y="{HEIGHT - 8}">milliseconds, logarithmic</text>'


def _grid(low: float, high: float, across: object) -> Iterator[str]:
    assert callable(across)
    ground = HEIGHT - BOTTOM
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        for digit in (1, 2, 5):
            value = digit * 10.0**power
            if value <= high:
                x = across(value)
                yield f'<path d="M{x:.1f} {TOP}V{ground}" stroke="#ddd"/>'
                yield f'<text x="{x:.1f}" y="{ground + 16}" text-anchor="middle">{value:g}</text>'
    for share in (0, 0.25, 0.5, 0.75, 0.99):
        y = _down(share)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
