"""Panel: the memory's units over the last ticks; red is positive, blue negative, dark zero."""

import numpy as np
import pygame

from sidestep.envs.drawing import palette
from sidestep.scripts.viewer.panels.moment import WINDOW, Moment
from sidestep.scripts.viewer.panels.pen import Pen, diverging


def applies(moment: Moment) -> bool:
    """Where the learner has a memory."""
    return moment.insight is not None and moment.insight.units is not None


def note(moment: Moment) -> str:
    """How many units and ticks."""
    assert moment.insight is not None and moment.insight.units is not None
    return f"{len(moment.insight.units)} units, {WINDOW} ticks"


def draw(surface: pygame.Surface, moment: Moment, pen: Pen) -> None:
    """A row for each unit, a column for each tick; of an LSTM its output above its cells."""
    width, height = surface.get_size()
    parts = {"output h": [i.units for i in moment.insights if i.units is not None]}
    cells = [i.cells for i in moment.insights if i.cells is not None]
    if cells:
        parts["cell c"] = cells
    gap = pen.px(4)
    high = (height - gap * (len(parts) - 1)) / len(parts)
    for number, (name, rows) in enumerate(parts.items()):
        top = round(number * (high + gap))
        label = pen.px(17) if len(parts) > 1 else 0
        box = pygame.Rect(label, top, width - label, round(high))
        most = 1.0 if number == 0 else max(1.0, float(np.abs(rows[-1]).max()))
        draw_rows(surface, box, [np.asarray(row) / most for row in rows], pen)
        if label:
            pen.text(surface, name[-1], (0, box.centery), 17, palette.WHITE)


def draw_rows(surface: pygame.Surface, box: pygame.Rect, rows: list[np.ndarray], pen: Pen) -> None:
    """Columns of numbers in [-1, 1] as colours, the last at the right."""
    pygame.draw.rect(surface, palette.NIGHT, box)
    table = np.stack(rows[-WINDOW:], axis=1)  # (H, ticks)
    wide = round(box.width * table.shape[1] / WINDOW)
    place = pygame.Rect(box.right - wide, box.top, wide, box.height)
    pen.image(surface, diverging(table), place)
