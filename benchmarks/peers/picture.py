"""The comparison as a picture: bars on a logarithmic scale, to be read on light and on dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.figures import number
from benchmarks.peers.outcome import Outcome

_LABELS, _BARS, _ROW, _TOP = 230, 250, 22, 48
_GAP: Final = 70
_TEXT: Final = "#768390"
"""A grey with enough contrast to white and to black."""
_OURS, _OTHERS = "#2f81f7", "#9aa4af"
_DECADES: Final = 4


def picture(outcomes: Sequence[Outcome], below: str) -> str:
    """Draw it as SVG: left what is added to a call, right the processor time of all threads.

    Args:
        outcomes: One bar each; those that failed have none, and say so.
        below: The line below.
    """
    width = _LABELS + 2 * (_BARS + _GAP)
    height = _TOP + _ROW * len(outcomes) + 30
    titles = "added to a call, µs", "CPU of all threads for a call, µs"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">',
        *(_text(_left(panel), 16, title, weight="bold") for panel, title in enumerate(titles)),
        *(line for panel in (0, 1) for line in _scale(panel, len(outcomes))),
    ]
    for row, one in enumerate(outcomes):
        base = _TOP + _ROW * row
        drawn.append(_text(_LABELS - 8, base + 14, one.name, anchor="end"))
        for panel, value in enumerate((one.call, one.cpu)):
            drawn += _bar(_left(panel), base, value, ours=one.name.startswith("ollamatrace"))
    drawn.append(_text(0, height - 6, below, size=11))
    return "\n".join([*drawn, "</svg>\n"])


def _left(panel: int) -> int:
    return _LABELS + panel * (_BARS + _GAP)


def _scale(panel: int, rows: int) -> list[str]:
    lines = []
    for decade in range(_DECADES + 1):
        across = _left(panel) + decade * _BARS // _DECADES
        lines.append(
            f'<path d="M{across} {_TOP - 6}V{_TOP + _ROW * rows}" '
            f'stroke="{_TEXT}" stroke-opacity=".35"/>'
        )
        lines.append(_text(across, _TOP - 10, f"{10**decade:,}", anchor="middle", size=11))
    return lines


def _bar(left: int, base: int, value: float | None, *, ours: bool) -> list[str]:
    if value is None:
        return [_text(left + 6, base + 14, "failed")]
    long = round(_BARS * min(1.0, max(0.0, math.log10(max(value, 1.0)) / _DECADES)), 1)
    colour = _OURS if ours else _OTHERS
    shape = f'x="{left}" y="{base + 2}" width="{long}" height="{_ROW - 6}" rx="2"'
    end = left + long + 6
    return [f'<rect {shape} fill="{colour}"/>', _text(end, base + 14, number(value))]


def _text(
    across: float, down: int, text: str, *, anchor: str = "start", size: int = 13, weight: str = ""
) -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return (
        f'<text x="{across}" y="{down}" text-anchor="{anchor}" font-size="{size}"{bold} '
        f'fill="{_TEXT}">{escape(text)}</text>'
    )
