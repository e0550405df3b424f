"""Lines of the viewer: Latin ones as ever, others in a font that has their letters."""

import pygame
import pytest

from sidestep.envs.drawing import palette, sprites
from sidestep.scripts.sequences.hangul import hangul_font
from sidestep.scripts.viewer.lines import label, width_of
from sidestep.scripts.viewer.panels.pen import Pen
from sidestep.scripts.viewer.view import line_within


def pixels(surface: pygame.Surface) -> bytes:
    return pygame.image.tobytes(surface, "RGBA")


def test_latin_lines_are_those_of_pygame_s_font() -> None:
    assert label("tick 6 / 100", 24, palette.WHITE) is sprites.label(
        "tick 6 / 100", 24, palette.WHITE
    )
    assert width_of("tick", 24) == sprites.font(24).size("tick")[0]


def test_hangul_is_written_as_large_as_what_stands_beside_it() -> None:
    if hangul_font() is None:
        pytest.skip("no font with Hangul")
    one, two = (label(words, 24, palette.WHITE) for words in ("\uac00", "\ud79d"))
    assert pixels(one) != pixels(two)  # two boxes would be alike
    assert one.get_width() == width_of("\uac00", 24)
    latin = sprites.label("E", 24, palette.WHITE).get_bounding_rect().height
    assert 0.8 * latin < one.get_bounding_rect().height < 1.4 * latin
    surface = pygame.Surface((200, 40))
    inked = Pen(1.0).text(surface, "\uac00\ub098\ub2e4 map", (4, 20))
    assert inked == width_of("\uac00\ub098\ub2e4 map", 19) > width_of(" map", 19)
    assert line_within("\uac00" * 12, 30, palette.WHITE, 120).get_width() <= 130
