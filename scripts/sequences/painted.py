"""One hidden unit painted over a text, red positive and blue negative: terminal, HTML, PNG."""

import html
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from sidestep.scripts.shared.fonts import BOX, covers, family_with, file_of

MONOSPACED = "DejaVu Sans Mono"
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
    """Lines of at most `WIDTH` columns; a mark of no width stands with the letter before it."""
    rows: Cells = [[]]
    column = 0
    for symbol, value in zip(text, values, strict=True):
        width = cell_len(symbol)
        if not width and rows[-1] and symbol.isprintable():
            rows[-1][-1] = (rows[-1][-1][0] + symbol, rows[-1][-1][1])
            continue
        if symbol == "\n" or column + width > WIDTH:
            rows.append([])
            column = 0
        if symbol != "\n":
            rows[-1].append((symbol, value))
            column += max(width, 1)
    return rows


def lacking(text: str) -> list[str]:
    """The letters of a text that no font has; a picture has a small square for each."""
    letters = dict.fromkeys(symbol for symbol in text if symbol.isprintable())
    return [letter for letter in letters if not letter.isspace() and _family(letter) is None]


def _family(letter: str) -> str | None:
    """The monospaced font if it has the letter, else another that has."""
    return MONOSPACED if covers(file_of(MONOSPACED), letter) else family_with(letter)


def as_figure(text: str, values: Sequence[float], title: str) -> Figure:
    """A picture in monospace; a letter that the font lacks comes from one that has it.

    Letters as wide as two (Hangul, Han, kana) take two columns. What no font has, and what cannot
    be seen, is a small square.

    Args:
        text: (T,) characters.
        values: (T,) in [-1, 1], one a character.
        title: above the text.
    """
    rows = _rows(text, values)
    lost = {letter: BOX if cell_len(letter) else "" for letter in lacking(text)}
    width, height = WIDTH * CELL[0] + 24, len(rows) * CELL[1] + 48
    figure = Figure(figsize=(width / 72, height / 72), dpi=144, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    axes.text(12, 20, title, fontsize=10, va="center", color="#222222", parse_math=False)
    for number, row in enumerate(rows):
        top, column = 36 + number * CELL[1], 0
        for symbol, value in row:
            columns = max(cell_len(symbol), 1)
            colour = tuple(part / 255 for part in colour_of(value))
            place, size = (12 + column * CELL[0], top), columns * CELL[0]
            column += columns
            axes.add_patch(Rectangle(place, size, CELL[1], color=colour, linewidth=0))
            if symbol.isspace():
                continue
            shown = "".join(lost.get(c, c) if c.isprintable() else BOX for c in symbol)
            families = dict.fromkeys([MONOSPACED, *filter(None, map(_family, shown))])
            axes.text(place[0] + size / 2, top + CELL[1] / 2, shown, fontsize=9.5,
                      family=list(families), ha="center", va="center_baseline",
                      color="#111111", parse_math=False)  # fmt: skip
    return figure
