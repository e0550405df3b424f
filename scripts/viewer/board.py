"""The board of a view: our worlds with what panels draw over the cells, others' own pictures."""

from collections.abc import Collection

import pygame

from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing import palette
from sidestep.envs.drawing.layout import HEADER, MARGIN, Layout
from sidestep.envs.drawing.screen_window import fitted
from sidestep.scripts.viewer.panels.moment import Moment
from sidestep.scripts.viewer.panels.pen import Pen
from sidestep.scripts.viewer.panels.registry import PANELS

SMALLEST_HEADER = 300
"""Boards narrower than this have no header: its words would not fit."""


def draw_board(surface: pygame.Surface, moment: Moment, panels: Collection[str], pen: Pen) -> None:
    """Fill a surface with the world, and what the panels show on it.

    Args:
        surface: a part of the window.
        moment: to be shown.
        panels: names of those that are on.
        pen: at the window's scale.
    """
    width, height = surface.get_size()
    scene = moment.scene
    if scene is None:
        if moment.picture is None:
            surface.fill(palette.NIGHT)
        else:
            surface.blit(fitted(moment.picture, width, height), (0, 0))
        return
    header = HEADER if width >= SMALLEST_HEADER else 0
    margin = MARGIN if header else 4
    layout = Layout.inside(scene.level, width, height, margin=margin, header=header)
    draw_scene(surface, layout, moment, panels, pen)


def draw_scene(
    surface: pygame.Surface, layout: Layout, moment: Moment, panels: Collection[str], pen: Pen
) -> None:
    """Draw the scene of a moment that has one, with what the panels show on its cells."""
    chosen = [panel for panel in PANELS if panel.name in panels and panel.applies(moment)]

    def under(canvas: pygame.Surface, place: Layout) -> None:
        for panel in chosen:
            if panel.under is not None:
                panel.under(canvas, place, moment, pen)

    sight = moment.sight
    if sight is not None:
        sight = None if sight.is_whole else sight._replace(ghosts="ghosts" in panels)
    assert moment.scene is not None
    rendering.draw(surface, moment.scene, layout, sight, under)
    for panel in chosen:
        if panel.over is not None:
            panel.over(surface, layout, moment, pen)
