"""Panel: what every cell would be worth now, as a heat map on the floor."""

import numpy as np
import pygame

from sidestep.envs.drawing import palette
from sidestep.envs.drawing.layout import Layout
from sidestep.scripts.viewer.panels.moment import STEPS, Moment
from sidestep.scripts.viewer.panels.pen import Pen, sequential

LEAST_CELL = 46
"""Pixels of a cell that has its number written in."""
LOWEST = 5
"""Per cent of the cells that may lie below the scale."""


def applies(moment: Moment) -> bool:
    """In our worlds, where who acts can say."""
    return moment.cells is not None


def note(moment: Moment) -> str:
    """What the colours mean."""
    return "were it there"


def _range(values: np.ndarray) -> tuple[float, float]:
    """Ends of the scale; the lowest few cells, about to be hit, would darken all others."""
    low, high = float(np.nanpercentile(values, LOWEST)), float(np.nanmax(values))
    return low, max(high, low + 1e-6)


def draw(surface: pygame.Surface, moment: Moment, pen: Pen) -> None:
    """The scale of the colours."""
    assert moment.cells is not None
    width, height = surface.get_size()
    values = moment.cells.values
    if values is None:
        words = "no values learned: arrows only"
        pen.text(surface, words, (0, height / 2), 16, palette.DIM, room=width)
        return
    low, high = _range(values)
    label = pen.px(44)
    box = pygame.Rect(label, 0, width - 2 * label, min(height, pen.px(14)))
    box.centery = height // 2
    pen.image(surface, sequential(np.linspace(0, 1, 96)[None]), box)
    pen.text(surface, f"{low:.2f}", (label - pen.px(6), height / 2), 17, align=1)
    pen.text(surface, f"{high:.2f}", (width - label + pen.px(6), height / 2), 17)


def under(surface: pygame.Surface, layout: Layout, moment: Moment, pen: Pen) -> None:
    """Colours, numbers where there is room, and a small arrow: what would be done there."""
    if moment.cells is None:
        return
    values, actions = moment.cells
    side = layout.cell
    inset = max(1, side // 40)
    if values is not None:
        low, high = _range(values)
        shares = np.clip((values - low) / (high - low), 0, 1)
        colours = sequential(shares)
    for (y, x), action in np.ndenumerate(actions):
        if action < 0:
            continue
        left, top = layout.corner(x, y)
        box = pygame.Rect(left, top, side, side).inflate(-2 * inset, -2 * inset)
        ink = palette.WHITE
        if values is not None:
            pygame.draw.rect(surface, colours[y, x].tolist(), box, border_radius=max(1, side // 8))
            ink = palette.INK if shares[y, x] > 0.5 else palette.WHITE
            if side >= LEAST_CELL:
                size = 0.32 * side / pen.scale
                place = (box.right - 0.05 * side, box.bottom - 0.18 * side)
                pen.text(surface, f"{values[y, x]:.2f}", place, size, ink, 1, 0.9 * side)
        _pointer(surface, (left + 0.19 * side, top + 0.19 * side), side, STEPS[int(action)], ink)


def _pointer(
    surface: pygame.Surface,
    middle: tuple[float, float],
    side: int,
    step: tuple[int, int],
    ink: palette.Colour,
) -> None:
    """A small triangle, or a dot for staying."""
    if side < 14:
        return
    if step == (0, 0):
        pygame.draw.circle(surface, ink, middle, 0.055 * side)
        return
    (x, y), (dx, dy), size = middle, step, 0.10 * side
    tip = (x + dx * size, y + dy * size)
    wings = [(x - dx * size + s * dy * size, y - dy * size + s * dx * size) for s in (-1, 1)]
    pygame.draw.polygon(surface, ink, [tip, *wings])
