"""Small charts of what was measured, drawn as SVG and photographed by the tests' browser."""

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from playwright.sync_api import sync_playwright

COLOURS = ("#c1121f", "#1d3557", "#2a9d8f", "#e09f3e", "#7b2cbf", "#8d99ae")
_WIDTH, _HEIGHT = 420, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 44, 40

Series = Mapping[str, Sequence[tuple[float, float]]]


def photograph(path: Path, panels: Sequence[str]) -> None:
    """`panels` side by side, as PNG."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": _WIDTH * len(panels), "height": _HEIGHT})
        page.set_content(f"<body style='margin:0;display:flex'>{''.join(panels)}</body>")
        page.screenshot(path=str(path))
        browser.close()


def bars(title: str, shown: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A panel for each question, a bar for each server."""
    return [
        _panel(f"{title}: {question}", _bars(of_server)) for question, of_server in shown.items()
    ]


def curve(title: str, x_name: str, series: Series) -> str:
    """A panel with both axes logarithmic, where a straight line is a power and a bend can be seen."""
    return _panel(title, _curve(x_name, series))


def _panel(title: str, parts: Iterator[str]) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{_HEIGHT}' font-family='sans-serif'"
        f" font-size='12'><rect width='{_WIDTH}' height='{_HEIGHT}' fill='white'/>"
        f"<text x='16' y='24' font-size='13'>{escape(title)}</text>{''.join(parts)}</svg>"
    )


def _bars(of_server: Mapping[str, float]) -> Iterator[str]:
    most, height = max(of_server.values()), (_HEIGHT - _TOP - 16) / len(of_server)
    for number, (name, value) in enumerate(of_server.items()):
        y, width = _TOP + number * height, value / most * (_WIDTH - 190)
        colour = COLOURS[number % len(COLOURS)]
        yield f"<rect x='100' y='{y}' width='{width:.1f}' height='{height * 0.7:.1f}' fill='{colour}'/>"
        yield _text(94, y + height * 0.45, name, "end")
        yield _text(106 + width, y + height * 0.45, f"{value:,.1f}", "start")


def _curve(x_name: str, series: Series) -> Iterator[str]:
    points = [point for line in series.values() for point in line]
    xs, ys = [math.log10(x) for x, _ in points], [math.log10(y) for _, y in points]
    low_x, high_x = min(xs), max(*xs, min(xs) + 0.1)
    low_y, high_y = math.floor(min(ys)), max(math.ceil(max(ys)), math.floor(min(ys)) + 1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low_x) / (high_x - low_x)
        up = (math.log10(y) - low_y) / (high_y - low_y)
        wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + across * wide, _HEIGHT - _BOTTOM - up * high

    for decade in range(low_y, high_y + 1):
        _, y = place(10**low_x, 10**decade)
        yield f"<line x1='{_LEFT}' y1='{y}' x2='{_WIDTH - _RIGHT}' y2='{y}' stroke='#e5e5e5'/>"
        yield _text(_LEFT - 6, y + 4, f"{10**decade:g}", "end")
    for x in sorted({x for x, _ in points}):
        yield _text(place(x, 10**low_y)[0], _HEIGHT - _BOTTOM + 16, f"{x:,g}", "middle")
    yield _text((_LEFT + _WIDTH) / 2, _HEIGHT - 8, x_name, "middle")
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line)
        yield f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>"
        yield f"<text x='{_LEFT + 8}' y='{_TOP + 4 + number * 15}' fill='{colour}'>{escape(name)}</text>"


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='#555'>{escape(words)}</text>"
    )
