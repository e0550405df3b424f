"""One hidden unit painted over a text, red positive and blue negative: terminal, HTML, PNG."""

import html
from collections.abc import Sequence

import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Rectangle
from rich.style import Style
from rich.text import Text

RED, BLUE, WHITE = (214, 39, 40), (31, 100, 200), (255, 255, 255)
FADED = 0.85
"""The strongest colour's share of red or blue: letters stay readable on it."""
WIDTH = 80
"""Columns of the picture."""
CELL = (6.8, 14.0)
"""Width and height of a character in the picture, in points."""

Colour = tuple[int, int, int]
Cells = list[list[tuple[str, float]]]


def colour_of(value: float) -> Colour:
    """White at 0, red at 1, blue at -1; values beyond are drawn as those."""
    strength = FADED * min(abs(value), 1.0)
    target = RED if value > 0 else BLUE
    mixed = [round(w + (t - w) * strength) for w, t in zip(WHITE, target, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def scaled(values: Sequence[float]) -> list[float]:
    """Values divided by the largest size that 99 % of them stay under, so that weak ones show."""
    array = np.asarray(values, dtype=np.float64)
    top = float(np.quantile(np.abs(array), 0.99)) if array.size else 0.0
    return [float(value) for value in np.clip(array / top, -1, 1)] if top else [0.0] * len(array)


def in_terminal(text: str, values: Sequence[float]) -> Text:
    """The text for rich, black on the unit's colours.

    Args:
        text: (T,) characters.
        values: (T,) in [-1, 1], one a character.
    """
    painted = Text(no_wrap=False)
    for symbol, value in zip(text, values, strict=True):
        if symbol == "\n":
            painted.append("\n")
            continue
        red, green, blue = colour_of(value)
        style = Style.parse(f"#101010 on #{red:02x}{green:02x}{blue:02x}")
        painted.append(symbol if symbol.isprintable() else " ", style)
    return painted


def as_html(text: str, values: Sequence[float], title: str) -> str:
    """A page that needs nothing beside it; the value stands on each character's tooltip.

    Args:
        text: (T,) characters.
        values: (T,) in [-1, 1], one a character.
        title: above the text.
    """
    spans = []
    for symbol, value in zip(text, values, strict=True):
        if symbol == "\n":
            spans.append("\n")
            continue
        red, green, blue = colour_of(value)
        style = f"background:rgb({red},{green},{blue})"
        spans.append(f'<span style="{style}" title="{value:+.2f}">{html.escape(symbol)}</span>')
    name = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{name}</title>\n'
        "<style>body{font:15px/1.45 monospace;margin:2em auto;max-width:60em;color:#111;"
        "background:#fff}h1{font-size:1.1em}pre{font:inherit;white-space:pre-wrap}</style></head>\n"
        f"<body><h1>{name}</h1>\n<pre>{''.join(spans)}</pre></body>\n</html>\n"
    )


def _rows(text: str, values: Sequence[float]) -> Cells:
    """Lines of at most `WIDTH` cells."""
    rows: Cells = [[]]
    for symbol, value in zip(text, values, strict=True):
        if symbol == "\n" or len(rows[-1]) == WIDTH:
            rows.append([])
        if symbol != "\n":
            rows[-1].append((symbol, value))
    return rows


def as_figure(text: str, values: Sequence[float], title: str) -> Figure:
    """A picture in monospace; characters that its font lacks are drawn as a small square.

    Args:
        text: (T,) characters.
        values: (T,) in [-1, 1], one a character.
        title: above the text.
    """
    rows = _rows(text, values)
    path = font_manager.findfont("DejaVu Sans Mono")
    known = FT2Font(path).get_charmap()
    width, height = WIDTH * CELL[0] + 24, len(rows) * CELL[1] + 48
    figure = Figure(figsize=(width / 72, height / 72), dpi=144, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    axes.text(12, 20, title, fontsize=10, va="center", color="#222222", parse_math=False)
    for number, row in enumerate(rows):
        top = 36 + number * CELL[1]
        for column, (symbol, value) in enumerate(row):
            colour = tuple(part / 255 for part in colour_of(value))
            place = (12 + column * CELL[0], top)
            axes.add_patch(Rectangle(place, CELL[0], CELL[1], color=colour, linewidth=0))
            if not symbol.isspace():
                shown = symbol if ord(symbol) in known else "\u25a1"
                axes.text(place[0] + CELL[0] / 2, top + CELL[1] / 2, shown, fontsize=9.5,
                          family="DejaVu Sans Mono", ha="center", va="center_baseline",
                          color="#111111", parse_math=False)  # fmt: skip
    return figure
