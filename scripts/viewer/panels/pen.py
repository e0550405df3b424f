"""What all panels are drawn with: text, lines and colour scales at the size of the window."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pygame
from numpy.typing import NDArray

from sidestep.envs.drawing import palette
from sidestep.envs.drawing.palette import Colour, mix
from sidestep.scripts.viewer.lines import label, width_of

GROUND: Colour = (24, 30, 52)
"""Of a panel."""
POSITIVE: Colour = (255, 112, 67)
NEGATIVE: Colour = (79, 155, 255)
"""Red and blue of one brightness; with any colour blindness one is warm and one is cold."""
STEPS = 128
"""Colours of a scale to each side of zero."""


class Pen(NamedTuple):
    """Draws at a scale: 1 in a window of 640x480, 2 in one twice as large.

    Sizes are given for scale 1.
    """

    scale: float

    @classmethod
    def for_size(cls, width: int, height: int) -> "Pen":
        """The pen of a window of that size, in steps so that little changes while it is dragged."""
        fits = min(width / 640, height / 480)
        return cls(max(0.75, round(fits * 8) / 8))

    def px(self, length: float) -> int:
        """A length in pixels, at least 1."""
        return max(1, round(length * self.scale))

    def text(
        self,
        surface: pygame.Surface,
        words: str,
        place: tuple[float, float],
        size: float = 19,
        colour: Colour = palette.WHITE,
        align: float = 0.0,
        room: float | None = None,
    ) -> int:
        """Write a line; returns its width in pixels.

        Args:
            surface: to write on.
            words: what.
            place: left end (`align` 0), middle (0.5) or right end (1), and the line's middle.
            size: of the font.
            colour: of the letters.
            align: see `place`.
            room: in pixels; the line is set smaller until it fits, and at last cut.
        """
        height = self.px(size)
        while room is not None and height > 13 and width_of(words, height) > room:
            height -= 1
        while room is not None and words and width_of(words, height) > room:
            words = words[:-2].rstrip() + "." if len(words) > 2 else ""
        line = label(words, height, colour)
        x, y = place
        surface.blit(line, (round(x - align * line.get_width()), round(y - line.get_height() / 2)))
        return line.get_width()

    def arrow(
        self,
        surface: pygame.Surface,
        begin: tuple[float, float],
        end: tuple[float, float],
        colour: Colour,
        width: float,
        rim: Colour = palette.INK,
    ) -> None:
        """An arrow with a dark rim; `width` in pixels."""
        (x0, y0), (x1, y1) = begin, end
        length = max(1e-6, float(np.hypot(x1 - x0, y1 - y0)))
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        head = min(length, 2.1 * width)
        for thick, tint in ((2.4 * self.scale, rim), (0.0, colour)):
            half = width / 2 + thick / 2
            wing = 1.25 * width + thick
            neck = length - head
            outline = [
                (-thick / 2, -half), (neck, -half), (neck - thick / 2, -wing),
                (length + thick, 0), (neck - thick / 2, wing), (neck, half), (-thick / 2, half),
            ]  # fmt: skip
            points = [(x0 + a * dx - b * dy, y0 + a * dy + b * dx) for a, b in outline]
            pygame.draw.polygon(surface, tint, points)
            pygame.draw.aalines(surface, tint, True, points)

    def image(self, surface: pygame.Surface, colours: NDArray[np.uint8], box: pygame.Rect) -> None:
        """An array of colours (rows, columns, 3) stretched over a box, in hard squares."""
        rows, columns = colours.shape[:2]
        if box.width < 1 or box.height < 1 or not rows or not columns:
            return
        image = pygame.image.frombuffer(
            np.ascontiguousarray(colours).tobytes(), (columns, rows), "RGB"
        )
        surface.blit(pygame.transform.scale(image, box.size), box)


@lru_cache(maxsize=1)
def _diverging() -> NDArray[np.uint8]:
    """(2 STEPS + 1, 3): blue, the ground at zero, red."""
    share = np.linspace(0, 1, STEPS + 1)[:, None] ** 0.8
    zero = np.array(mix(palette.NIGHT, palette.FLOOR, 0.5))
    positive, negative = (zero + (np.array(c) - zero) * share for c in (POSITIVE, NEGATIVE))
    table: NDArray[np.uint8] = np.concatenate([negative[:0:-1], positive]).round().astype(np.uint8)
    return table


@lru_cache(maxsize=1)
def _sequential() -> NDArray[np.uint8]:
    """(STEPS + 1, 3): night blue, grey, yellow, as cividis; brighter is more."""
    stops = np.array(
        [(10, 30, 74), (64, 76, 108), (124, 123, 120), (186, 175, 106), (255, 233, 72)]
    )
    at = np.linspace(0, len(stops) - 1, STEPS + 1)
    channels = [np.interp(at, range(len(stops)), stops[:, k]) for k in range(3)]
    table: NDArray[np.uint8] = np.stack(channels, axis=-1).round().astype(np.uint8)
    return table


def diverging(values: NDArray[np.floating], most: float = 1.0) -> NDArray[np.uint8]:
    """Colours (..., 3) of values (...): red above zero, blue below, dark at it."""
    share = np.clip(np.nan_to_num(values) / max(most, 1e-12), -1, 1)
    colours: NDArray[np.uint8] = _diverging()[np.rint((share + 1) * STEPS).astype(np.int64)]
    return colours


def sequential(share: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colours (..., 3) of shares (...) in [0, 1]: dark blue to yellow."""
    index = np.rint(np.clip(np.nan_to_num(share), 0, 1) * STEPS).astype(np.int64)
    colours: NDArray[np.uint8] = _sequential()[index]
    return colours
