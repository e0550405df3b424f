"""Panel: the gates of a recurrent memory over the last ticks; bright is open, dark is shut."""

import numpy as np
import pygame

from sidestep.envs.drawing import palette
from sidestep.scripts.viewer.panels.moment import WINDOW, Moment
from sidestep.scripts.viewer.panels.pen import Pen, sequential


def applies(moment: Moment) -> bool:
    """Where the memory has gates, such as an LSTM or a GRU."""
    return moment.insight is not None and bool(moment.insight.gates)


def note(moment: Moment) -> str:
    """What the colours mean."""
    return "blue shut, yellow open"


def _draw_mark(surface: pygame.Surface, box: pygame.Rect, pen: Pen) -> None:
    """A frame round a gate that is forced."""
    pygame.draw.rect(surface, palette.ORANGE, box, pen.px(2))


def draw(surface: pygame.Surface, moment: Moment, pen: Pen) -> None:
    """A picture for each gate, a row for each unit, a column for each tick."""
    assert moment.insight is not None
    width, height = surface.get_size()
    gates, means = moment.insight.gates, moment.insight.gate_words
    gap, label = pen.px(6), pen.px(15)
    wide = (width - gap * (len(gates) - 1)) / len(gates)
    for number, (letter, now) in enumerate(gates):
        left = round(number * (wide + gap))
        name = f"{letter}: {means[number]}" if means else letter
        forced = moment.forced.get(letter)
        words = f"{name} {float(np.mean(now)):.2f}"
        if forced is not None:
            words = f"{letter}={forced:g} forced"
        colour = palette.WHITE if forced is None else palette.ORANGE
        pen.text(surface, words, (left, label / 2), 15, colour, room=wide)
        box = pygame.Rect(left, label, round(wide), height - label)
        rows = [insight.gates[number][1] for insight in moment.insights if insight.gates]
        pygame.draw.rect(surface, palette.NIGHT, box)
        table = np.stack(rows[-WINDOW:], axis=1)  # (H, ticks)
        filled = round(box.width * table.shape[1] / WINDOW)
        place = pygame.Rect(box.right - filled, box.top, filled, box.height)
        pen.image(surface, sequential(table), place)
        if forced is not None:
            _draw_mark(surface, box, pen)
