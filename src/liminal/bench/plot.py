"""A bar chart as SVG, for documentation: no library, two colours that stand on light and on dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LEFT, RIGHT, ROW, BAR, TOP = 720, 170, 60, 44, 13, 46
INK, BEFORE, AFTER = "#6b7d86", "#9fb2ba", "#d98a1f"


def bars(title: str, names: tuple[str, str], rows: Sequence[tuple[str, float, float]]) -> str:
    """Two bars a row, ``(label, before, after)``, in percent; ``names`` tells the two apart."""
    height = TOP + ROW * len(rows) + 8
    scale = (WIDTH - LEFT - RIGHT) / 100

    def text(x: float, y: float, words: str, anchor: str = "start", weight: int = 400) -> str:
        return (
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}" fill="{INK}">'
            f"{escape(words)}</text>"
        )

    def bar(y: float, value: float, colour: str) -> str:
        width = max(value * scale, 1)
        return f'<rect x="{LEFT}" y="{y:g}" width="{width:g}" height="{BAR}" rx="2" fill="{colour}"/>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="13">',
        text(0, 16, title, weight=600),
        *(
            f'<rect x="{x}" y="{25}" width="10" height="10" rx="2" fill="{colour}"/>' + text(x + 16, 34, name)
            for x, colour, name in ((LEFT, BEFORE, names[0]), (LEFT + 190, AFTER, names[1]))
        ),
    ]
    for index, (label, before, after) in enumerate(rows):
        y = TOP + ROW * index
        parts += [text(LEFT - 12, y + 22, label, "end")]
        for offset, value, colour in ((2, before, BEFORE), (18, after, AFTER)):
            parts += [bar(y + offset, value, colour)]
            parts += [text(LEFT + max(value * scale, 1) + 6, y + offset + 11, f"{value:.0f} %")]
    return "\n".join([*parts, "</svg>", ""])
