"""Panel: where the agent went in this episode, fading into the past."""

import pygame

from sidestep.envs.drawing import palette
from sidestep.envs.drawing.layout import Layout
from sidestep.scripts.viewer.panels.moment import Moment
from sidestep.scripts.viewer.panels.pen import Pen


def under(surface: pygame.Surface, layout: Layout, moment: Moment, pen: Pen) -> None:
    """A line through the cells, a dot in each; the older, the fainter."""
    cells = moment.trail
    width = max(3, layout.cell // 12)
    for k in range(1, len(cells)):
        share = 0.15 + 0.6 * k / len(cells)
        colour = palette.mix(palette.FLOOR, palette.SKY, share)
        begin, end = (layout.corner(x + 0.5, y + 0.5) for x, y in cells[k - 1 : k + 1])
        if begin != end:
            pygame.draw.line(surface, colour, begin, end, width)
        pygame.draw.circle(surface, colour, begin, max(2, layout.cell // 10))
