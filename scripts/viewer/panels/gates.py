"""Panel: the gates of a recurrent memory over the last ticks; bright is open, dark is shut."""

import numpy as np
import pygame

from sidestep.envs.drawing import palette
from sidestep.scripts.viewer.panels.moment import WINDOW, Moment
from sidestep.scripts.viewer.panels.pen import Pen, sequential

WORDS = {
    "i": "i: lets in",
    "f": "f: keeps",
    "o": "o: shows",
    "r": "r: uses past",
    "z": "z: keeps",
}


def applies(moment: Moment) -> bool:
    """Where the memory is an LSTM or a GRU."""
    return moment.insight is not None and bool(moment.insight.gates)


def note(moment: Moment) -> str:
    """What the colours mean."""
    return "blue shut, yellow open"


def draw(surface: pygame.Surface, moment: Moment, pen: Pen) -> None:
    """A picture for each gate, a row for each unit, a column for each tick."""
    assert moment.insight is not None
    width, height = surface.get_size()
    names = [name for name, _ in moment.insight.gates]
    gap, label = pen.px(6), pen.px(15)
    wide = (width - gap * (len(names) - 1)) / len(names)
    for number, name in enumerate(names):
        left = round(number * (wide + gap))
        now = moment.insight.gates[number][1]
        words = f"{WORDS[name]} {float(np.mean(now)):.2f}"
        pen.text(surface, words, (left, label / 2), 15, palette.WHITE, room=wide)
        box = pygame.Rect(left, label, round(wide), height - label)
        rows = [insight.gates[number][1] for insight in moment.insights if insight.gates]
        pygame.draw.rect(surface, palette.NIGHT, box)
        table = np.stack(rows[-WINDOW:], axis=1)  # (H, ticks)
        filled = round(box.width * table.shape[1] / WINDOW)
        place = pygame.Rect(box.right - filled, box.top, filled, box.height)
        pen.image(surface, sequential(table), place)
