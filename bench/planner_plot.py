"""The picture of docs/planner.png: throttle units over the day, drawn as SVG and photographed by the tests' browser."""

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.policies import Result

WIDTH, HEIGHT = 960, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 250, 50, 45
_COLOURS = ("#c1121f", "#1d3557", "#2a9d8f", "#8d99ae", "#e09f3e", "#7b2cbf")


def draw(
    path: Path, results: Sequence[Result], bounds: Mapping[str, float], *, begins: datetime
) -> None:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_content(f"<body style='margin:0'>{svg(results, bounds, begins)}</body>")
        page.screenshot(path=str(path))
        browser.close()


def svg(results: Sequence[Result], bounds: Mapping[str, float], begins: datetime) -> str:
    """Units on a logarithmic scale, for the strategies are decades apart."""
    top = math.ceil(math.log10(max(1.0, *(one.units for one in results))))

    def y(units: float) -> float:
        share = math.log10(max(units, 1.0)) / top
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def x(hours: float) -> float:
        return _LEFT + hours / 24 * (WIDTH - _LEFT - _RIGHT)

    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{HEIGHT}' font-family='sans-serif' font-size='12'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        f"<text x='{_LEFT}' y='26' font-size='15'>Throttle units spent since midnight, by strategy</text>",
    ]
    for decade in range(top + 1):
        at = y(10**decade)
        parts += [
            _line(x(0), at, x(24), at, "#e5e5e5"),
            _text(_LEFT - 8, at + 4, f"{10**decade:,}", "end"),
        ]
    for hour in range(0, 25, 4):
        parts.append(_text(x(hour), HEIGHT - _BOTTOM + 20, f"{hour:02}:00", "middle"))
    labels: list[tuple[float, str, str]] = []
    for one, colour in zip(results, _COLOURS, strict=True):
        points = " ".join(f"{x(h):.1f},{y(units):.1f}" for h, units in _sums(one, begins))
        width = 3 if one is results[0] else 1.5
        parts.append(
            f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='{width}'/>"
        )
        labels.append((y(one.units), f"{one.name.strip('*')}: {one.units:,.0f}", colour))
    for name, bound in bounds.items():
        parts.append(_line(x(0), y(bound), x(24), y(bound), "#555", "4 4"))
        labels.append((y(bound), f"{name}: {bound:,.0f}", "#555"))
    parts += [
        f"<text x='{x(24) + 8}' y='{at + 4:.1f}' fill='{colour}'>{words}</text>"
        for at, words, colour in _apart(labels)
    ]
    return "".join([*parts, "</svg>"])


def _sums(result: Result, begins: datetime) -> Iterator[tuple[float, float]]:
    """A point a minute is as fine as can be seen."""
    spent, last = 0.0, -1.0
    yield 0.0, 0.0
    for at, units in result.bought:
        spent += units
        hours = (at - begins).total_seconds() / 3_600
        if hours - last >= 1 / 60:
            last = hours
            yield min(24.0, max(0.0, hours)), spent
    yield 24.0, spent


def _apart(labels: Sequence[tuple[float, str, str]]) -> Iterator[tuple[float, str, str]]:
    """None written over another."""
    lowest = -math.inf
    for at, words, colour in sorted(labels):
        lowest = max(at, lowest + 15)
        yield lowest, words, colour


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "") -> str:
    return f"<line x1='{x1}' y1='{y1}' x2='{x2}' y2='{y2}' stroke='{colour}' stroke-dasharray='{dashes}'/>"


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f"<text x='{x}' y='{y}' text-anchor='{anchor}' fill='#555'>{words}</text>"
