"""Lines of text in the viewer: in the font that pygame brings, or one that has their letters."""

import pygame

from sidestep.envs.drawing import sprites
from sidestep.envs.drawing.palette import Colour

LATIN = 0x250
"""What the font that comes with pygame has ends before this code."""
SHARE = 0.68
"""How high other fonts are set, so that their letters are as large as those beside them."""


def label(words: str, height: int, colour: Colour) -> pygame.Surface:
    """A line of text; blitted plainly.

    Names of runs, levels and envs may be of any script: a font of the system has their letters, if
    any has, and is looked for only then.
    """
    if _is_latin(words):
        return sprites.label(words, height, colour)
    from sidestep.scripts.viewer.letters import rendered  # loads matplotlib, to find fonts

    return rendered(words, max(6, round(SHARE * height)), colour)


def width_of(words: str, height: int) -> int:
    """How many pixels wide `label` is."""
    if _is_latin(words):
        return int(sprites.font(height).size(words)[0])
    return label(words, height, (255, 255, 255)).get_width()


def _is_latin(words: str) -> bool:
    return all(ord(letter) < LATIN for letter in words)
