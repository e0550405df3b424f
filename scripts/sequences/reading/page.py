"""A text as a page: lines that fit, each character in its box, coloured by one unit's values."""

from typing import NamedTuple

import numpy as np
import pygame
from pygame import Rect
from rich.cells import cell_len

from sidestep.envs.drawing import palette
from sidestep.scripts.sequences.reading.reading import Values
from sidestep.scripts.viewer.letters import MONOSPACED, sign_of, write
from sidestep.scripts.viewer.panels.pen import Pen, diverging

LETTER, LINE = (10.0, 21.0), 15.0
"""Width and height of a character's box, and its font's height, at scale 1."""
AHEAD = 0.7
"""The line that is read stands at most so far down the page."""
FAINT = palette.mix(palette.NIGHT, palette.DIM, 0.75)
"""Of what is not read yet."""
BRIGHT = 430
"""Sum of a ground's red, green and blue from which on letters on it are dark."""

Spot = tuple[int, Rect]
"""A character's index, and its box on the page."""


class Line(NamedTuple):
    """A line of a page: indices of its characters, the column of each, and its columns."""

    indices: list[int]
    columns: list[int]
    wides: list[int]


def lines_of(text: str, columns: int) -> list[Line]:
    """The text in lines of at most so many columns; letters as wide as two take two.

    A line's end stands on its own line, as a sign, where there is a column left.
    """
    lines, column = [Line([], [], [])], 0
    for index, symbol in enumerate(text):
        wide = max(1, cell_len(sign_of(symbol)))
        if column + wide > columns and column:
            lines.append(Line([], [], []))
            column = 0
        line = lines[-1]
        line.indices.append(index)
        line.columns.append(column)
        line.wides.append(wide)
        column += wide
        if symbol == "\n":
            lines.append(Line([], [], []))
            column = 0
    return lines if lines[-1].indices or len(lines) == 1 else lines[:-1]


def spots(text: str, at: int, box: Rect, pen: Pen) -> list[Spot]:
    """Where the characters of the page that holds the one at `at` lie.

    The page begins with the text, and moves on by lines so that the line that is read stays on it.
    """
    wide, high = LETTER[0] * pen.scale, LETTER[1] * pen.scale
    lines = lines_of(text, max(4, int(box.width / wide)))
    fit = max(1, int(box.height / high))
    present = next(k for k, line in enumerate(lines) if line.indices[-1] >= at)
    top = min(max(0, present - int(AHEAD * (fit - 1))), max(0, len(lines) - fit))
    found = []
    for row, line in enumerate(lines[top : top + fit]):
        y, below = box.top + round(row * high), box.top + round((row + 1) * high)
        for index, column, columns in zip(*line, strict=True):
            left = box.left + round(column * wide)
            right = box.left + round((column + columns) * wide)
            found.append((index, Rect(left, y, right - left, below - y)))
    return found


def draw(surface: pygame.Surface, box: Rect, text: str, values: Values, at: int, pen: Pen) -> None:
    """Draw a page: what was read on its unit's colours, the rest faint, the present one framed.

    Args:
        surface: to draw on.
        box: its part.
        text: T characters.
        values: (T,) in [-1, 1].
        at: index of the character that was read last.
        pen: at the window's scale.
    """
    grounds = diverging(values)
    for index, spot in spots(text, at, box, pen):
        ink = FAINT
        if index <= at:
            red, green, blue = (int(part) for part in grounds[index])
            pygame.draw.rect(surface, (red, green, blue), spot)
            ink = palette.INK if red + green + blue > BRIGHT else palette.WHITE
        symbol = text[index]
        if symbol != " ":
            shown = sign_of(symbol)
            colour = palette.mix(ink, palette.NIGHT, 0.4) if symbol in "\n\t" else ink
            size = LINE * pen.scale
            write(surface, shown, spot.center, size, colour, 0.5, family=MONOSPACED)
        if index == at:
            rim = spot.inflate(pen.px(3), pen.px(1))
            pygame.draw.rect(surface, palette.YELLOW, rim, pen.px(2), border_radius=pen.px(3))


def scaled(values: Values) -> Values:
    """Values divided by the largest size that 99 % of them stay under, so that weak ones show."""
    top = float(np.quantile(np.abs(values), 0.99)) if len(values) else 0.0
    return np.clip(values / top, -1, 1) if top else np.zeros_like(values)
