"""Text of any script in pygame's pictures: each letter from a font that has it, else a square."""

import unicodedata
from functools import lru_cache
from itertools import groupby

import pygame

from sidestep.envs.drawing import palette
from sidestep.envs.drawing.palette import Colour
from sidestep.scripts.shared.console import visible
from sidestep.scripts.shared.fonts import BOX, covers, family_with, file_of
from sidestep.scripts.shared.fonts import sign_of as sign_of

PLAIN, MONOSPACED = "DejaVu Sans", "DejaVu Sans Mono"
"""Families that come with matplotlib, so that pictures are the same everywhere."""
KEPT = 4096
"""Rendered pieces of text that are kept."""
_FONTS: dict[tuple[str, int], pygame.font.Font] = {}


def lacking(words: str) -> list[str]:
    """The letters of a text that no font has; a picture has a small square for each."""
    seen = dict.fromkeys(letter for letter in words if letter.isprintable())
    return [letter for letter in seen if not letter.isspace() and _file(letter, PLAIN) is None]


@lru_cache(maxsize=KEPT)
def rendered(
    words: str, height: int, colour: Colour = palette.WHITE, family: str = PLAIN
) -> pygame.Surface:
    """A line of text; blitted plainly.

    Args:
        words: the line; letters that `family` lacks come from a font that has them.
        height: of the font, in pixels.
        colour: of the letters.
        family: `PLAIN` or `MONOSPACED`.
    """
    pieces = [
        (_font(path, height), text.replace("\n", " ")) for path, text in _pieces(words, family)
    ]
    ascent = max((font.get_ascent() for font, _ in pieces), default=0)
    descent = max((font.get_height() - font.get_ascent() for font, _ in pieces), default=1)
    width = sum(font.size(text)[0] for font, text in pieces)
    surface = pygame.Surface((max(1, width), max(1, ascent + descent)), pygame.SRCALPHA)
    left = 0
    for font, text in pieces:
        if not font.size(text)[0]:
            continue  # a joiner or the like, which pygame refuses to draw
        piece = font.render(text, True, colour)
        surface.blit(piece, (left, ascent - font.get_ascent()))
        left += piece.get_width()
    return surface


def write(
    surface: pygame.Surface,
    words: str,
    place: tuple[float, float],
    height: float,
    colour: Colour = palette.WHITE,
    align: float = 0.0,
    room: float | None = None,
    family: str = PLAIN,
) -> int:
    """Write a line; returns its width in pixels.

    Args:
        surface: to write on.
        words: the line.
        place: left end (`align` 0), middle (0.5) or right end (1), and the line's middle.
        height: of the font, in pixels.
        colour: of the letters.
        align: see `place`.
        room: in pixels; the line is set smaller until it fits, and at last cut.
        family: `PLAIN` or `MONOSPACED`.
    """
    size = max(6, round(height))
    line = rendered(words, size, colour, family)
    while room is not None and line.get_width() > room and size > 9:
        size -= 1
        line = rendered(words, size, colour, family)
    while room is not None and line.get_width() > room and words:
        words = words[:-1]
        line = rendered(words, size, colour, family)
    if words:
        x, y = place
        surface.blit(line, (round(x - align * line.get_width()), round(y - line.get_height() / 2)))
    return line.get_width() if words else 0


def _pieces(words: str, family: str) -> list[tuple[str, str]]:
    """Font files and the pieces of a text that are set in them; a mark stays with its letter."""
    default = file_of(family)
    chosen: list[tuple[str, str]] = []
    for letter in visible(words):
        path = default if letter.isspace() else _file(letter, family)
        if chosen and unicodedata.category(letter).startswith("M"):
            before = chosen[-1][0]
            if covers(before, letter):
                path = before
            elif path is None:
                continue  # a mark that no font has takes no room
        chosen.append((default, BOX) if path is None else (path, letter))
    grouped = groupby(chosen, key=lambda pair: pair[0])
    return [(path, "".join(letter for _, letter in pairs)) for path, pairs in grouped]


@lru_cache(maxsize=KEPT)
def _file(letter: str, family: str) -> str | None:
    """The family's file if it has the letter, else that of a font that has; None: no font has."""
    default = file_of(family)
    if covers(default, letter):
        return default
    found = family_with(letter)
    return None if found is None else file_of(found)


def _font(path: str, height: int) -> pygame.font.Font:
    """A font of a file; another library's `pygame.quit()` ends all fonts, they are made again."""
    try:
        _FONTS[path, height].get_height()
    except (KeyError, pygame.error):
        if not pygame.font.get_init():
            pygame.font.init()
        _FONTS[path, height] = pygame.font.Font(path, height)
    return _FONTS[path, height]
