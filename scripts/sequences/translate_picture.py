"""A step of a translation as a picture in the viewer's style."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pygame
from pygame import Rect
from torch import Tensor

from sidestep.envs.drawing import board, palette
from sidestep.envs.drawing.palette import Colour
from sidestep.scripts.sequences.hangul import hangul_font
from sidestep.scripts.sequences.translate_steps import Look, Translation
from sidestep.scripts.shared.romanisation import romanise
from sidestep.scripts.viewer.letters import rendered, write
from sidestep.scripts.viewer.panels.moment import Pixels
from sidestep.scripts.viewer.panels.pen import GROUND, Pen, diverging

SIZE = (960, 600)
"""(width, height) of a picture, and of a window before it is fitted to the screen."""
MOST_TERMS = 4
"""Source words whose part in the context is drawn."""
MOST_ROWS = 26
"""Source words below each other; more stand in columns."""


class Style(NamedTuple):
    """How words are written: with their letters, or romanised where no font has Hangul."""

    romanised: bool

    @classmethod
    def here(cls) -> "Style":
        """What this machine's fonts allow."""
        return cls(hangul_font() is None)

    def shown(self, word: str) -> str:
        """A word as a picture has it."""
        return romanise(word) if self.romanised else word


def picture(translation: Translation, number: int, size: tuple[int, int] = SIZE) -> Pixels:
    """A step off screen, (H, W, 3), without a status line."""
    surface = pygame.Surface(size, 0, 32)
    draw(surface, translation, number)
    return board.pixels(surface)


def draw(surface: pygame.Surface, translation: Translation, number: int) -> None:
    """Fill a surface with a step.

    Args:
        surface: of any size.
        translation: with all steps.
        number: of the step, from 0.
    """
    surface.fill(palette.NIGHT)
    width, height = surface.get_size()
    pen, style = Pen(min(width / SIZE[0], height / SIZE[1])), Style.here()
    gap = pen.px(10)
    top = Rect(gap, gap, width - 2 * gap, pen.px(92))
    left = Rect(gap, top.bottom + gap, round(0.46 * width), height - top.bottom - 2 * gap)
    right = Rect(left.right + gap, left.top, width - left.right - 2 * gap, left.height)
    upper = Rect(right.left, right.top, right.width, round(0.5 * right.height))
    lower = Rect(right.left, upper.bottom + gap, right.width, right.bottom - upper.bottom - gap)
    look = translation.looks[number]
    _sentence(_panel(surface, top, "written so far", _steps(translation, number), pen),
              translation, number, pen, style)  # fmt: skip
    note = "no attention" if look.weights is None else "score, softmax = weight"
    _source(_panel(surface, left, "source words", note, pen), translation, look, pen, style)
    note = f"{len(look.context)} numbers, norm {float(look.context.norm()):.2f}"
    _context(_panel(surface, upper, "context", note, pen), translation, look, pen, style)
    _next(_panel(surface, lower, "next word", "probability", pen), look, pen, style)


def _steps(translation: Translation, number: int) -> str:
    return f"step {number + 1} of {len(translation.looks)}"


def _panel(surface: pygame.Surface, box: Rect, title: str, note: str, pen: Pen) -> pygame.Surface:
    """A panel's ground, title and note; returns what is left for its body."""
    box = box.clip(surface.get_rect())
    part = surface.subsurface(box)
    pygame.draw.rect(part, GROUND, part.get_rect(), border_radius=pen.px(8))
    pad, middle = pen.px(10), pen.px(15)
    write(part, title, (pad, middle), pen.px(15), palette.WHITE)
    write(part, note, (box.width - pad, middle), pen.px(13), palette.DIM, 1)
    body = Rect(pad, pen.px(30), box.width - 2 * pad, box.height - pen.px(38))
    return part.subsurface(body.clip(part.get_rect()))


def _sentence(
    surface: pygame.Surface, translation: Translation, number: int, pen: Pen, style: Style
) -> None:
    """What was written before in white, the new word in yellow; only the last if all are long."""
    words = [style.shown(word) for word in translation.written[: number + 1]]
    size, space, middle = pen.px(24), pen.px(11), surface.get_height() / 2
    widths = [rendered(word, size).get_width() for word in words]
    first = 0
    while first < number and sum(widths[first:]) + space * (number - first) > surface.get_width():
        first += 1
    left = 0
    for place in range(first, number + 1):
        colour = palette.YELLOW if place == number else palette.WHITE
        left += write(surface, words[place], (left, middle), size, colour) + space


def _source(
    surface: pygame.Surface, translation: Translation, look: Look, pen: Pen, style: Style
) -> None:
    """A row for each source word: the word, its score, and its weight as a bar and in figures."""
    width, height = surface.get_size()
    words = [style.shown(word) for word in translation.source]
    columns = -(-len(words) // MOST_ROWS)
    rows = -(-len(words) // columns)
    apart = pen.px(18) if columns > 1 else 0
    wide, high = (width + apart) / columns, min(pen.px(30), height / rows)
    size = min(pen.px(17), 0.82 * high)
    name = min(max(rendered(word, round(size)).get_width() for word in words), 0.4 * wide)
    for place, word in enumerate(words):
        column, row = divmod(place, rows)
        left, middle = column * wide, (row + 0.5) * high
        weight = None if look.weights is None else float(look.weights[place])
        colour = palette.WHITE if weight is None or weight > 0.1 else palette.DIM
        write(surface, word, (left + name, middle), size, colour, 1, room=name)
        if weight is None or look.scores is None:
            continue
        small = min(pen.px(13), 0.7 * high)
        figure, after = pen.px(48), pen.px(44)
        score = f"{float(look.scores[place]):.2f}"
        write(surface, score, (left + name + figure, middle), small, palette.DIM, 1)
        begin = left + name + figure + pen.px(10)
        room = max(1, left + wide - apart - begin - after - pen.px(6))
        track = Rect(round(begin), round(middle - 0.3 * high), round(room), round(0.6 * high))
        pygame.draw.rect(surface, palette.LINE, track, border_radius=pen.px(3))
        bar = Rect(track.left, track.top, round(track.width * min(weight, 1.0)), track.height)
        if bar.width:
            pygame.draw.rect(surface, palette.SKY, bar, border_radius=min(pen.px(3), bar.width))
        write(surface, f"{weight:.2f}", (track.right + after, middle), small, colour, 1)


def _context(
    surface: pygame.Surface, translation: Translation, look: Look, pen: Pen, style: Style
) -> None:
    """Weight times state of the heaviest words, and their sum: the context, as coloured strips."""
    width, height = surface.get_size()
    most = float(look.context.abs().max())
    terms: list[tuple[str, Tensor]] = []
    rest = 0.0
    if look.weights is not None and translation.states is not None:
        order = look.weights.argsort(descending=True)[:MOST_TERMS].tolist()
        for place in order:
            weight = float(look.weights[place])
            word = style.shown(translation.source[place])
            terms.append((f"{weight:.2f} \u00d7 {word}", weight * translation.states[place]))
        rest = float(look.weights.sum()) - sum(float(look.weights[place]) for place in order)
    lines = len(terms) + 1
    room = height - pen.px(20)
    high = min(pen.px(44), room / (lines + 0.35))
    left = round(0.34 * width)
    for row, (words, part) in enumerate(terms):
        middle = (row + 0.5) * high
        sign = "" if row == 0 else "+ "
        write(surface, sign + words, (left - pen.px(8), middle), pen.px(15), palette.WHITE, 1,
              left - pen.px(8))  # fmt: skip
        _strip(surface, part, Rect(left, round(row * high), width - left, round(0.8 * high)), most)
    top = len(terms) * high + (0.3 * high if terms else 0)
    name = "= context" if terms else "fixed"
    write(surface, name, (left - pen.px(8), top + 0.4 * high), pen.px(15), palette.YELLOW, 1)
    _strip(surface, look.context, Rect(left, round(top), width - left, round(0.8 * high)), most)
    words = f"the {len(translation.source) - len(terms)} others weigh {rest:.2f}"
    if not terms:
        words = "the encoder's last state: the same in every step"
    elif len(terms) == len(translation.source):
        words = ""
    below = top + high if not terms else height - pen.px(8)
    write(surface, words, (left, below), pen.px(13), palette.DIM, room=width - left)


def _strip(surface: pygame.Surface, numbers: Tensor, box: Rect, most: float) -> None:
    """Numbers in two rows of coloured squares: red above zero, blue below."""
    values = numbers.double().numpy()
    rows = 2 if len(values) > 24 else 1
    padded = np.zeros(-(-len(values) // rows) * rows)
    padded[: len(values)] = values
    Pen(1.0).image(surface, diverging(padded.reshape(rows, -1), most), box)


def _next(surface: pygame.Surface, look: Look, pen: Pen, style: Style) -> None:
    """Bars of the most probable next words, the one that is written in yellow."""
    width, height = surface.get_size()
    high = min(pen.px(32), height / len(look.best))
    size = min(pen.px(17), 0.82 * high)
    name, figure = round(0.34 * width), pen.px(50)
    for row, (word, share) in enumerate(look.best):
        middle, colour = (row + 0.5) * high, palette.WHITE if row else palette.YELLOW
        place = (name - pen.px(8), middle)
        write(surface, style.shown(word), place, size, colour, 1, room=name - pen.px(8))
        track = Rect(name, round(middle - 0.3 * high), width - name - figure, round(0.6 * high))
        pygame.draw.rect(surface, palette.LINE, track, border_radius=pen.px(3))
        bar = Rect(track.left, track.top, round(track.width * share), track.height)
        if bar.width:
            _bar(surface, bar, palette.ORANGE if row else palette.YELLOW, pen)
        write(surface, f"{share:.2f}", (width, middle), min(pen.px(14), size), colour, 1)


def _bar(surface: pygame.Surface, bar: Rect, colour: Colour, pen: Pen) -> None:
    pygame.draw.rect(surface, colour, bar, border_radius=min(pen.px(3), bar.width))


def words_of(translations: Sequence[Translation]) -> list[str]:
    """All words that pictures of these translations hold."""
    return [word for one in translations for word in (*one.source, *one.written)]
