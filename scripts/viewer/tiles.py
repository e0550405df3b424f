"""Many lanes side by side in one picture."""

import math
from collections.abc import Collection, Sequence

import pygame
from pygame import Rect

from sidestep.envs.drawing import palette
from sidestep.envs.drawing.layout import Layout
from sidestep.envs.drawing.screen_window import fitted
from sidestep.scripts.viewer.panels.moment import Moment
from sidestep.scripts.viewer.panels.pen import Pen
from sidestep.scripts.viewer.view import STATUS, draw_message, draw_scene, draw_status

MOST_LANES = 64
CAPTION = 16
"""Height of a tile's caption at scale 1; small tiles have none."""


def tile_boxes(count: int, width: int, height: int, aspect: float = 1.0) -> list[Rect]:
    """Boxes for so many tiles, row by row, as large as they fit.

    Args:
        count: 1 or more.
        width: of the picture.
        height: of the picture.
        aspect: width over height of what they hold.
    """

    def side(columns: int) -> float:
        rows = math.ceil(count / columns)
        return min(width / columns, height / rows * aspect)

    columns = max(range(1, count + 1), key=side)
    rows = math.ceil(count / columns)
    boxes = []
    for number in range(count):
        row, column = divmod(number, columns)
        left, top = column * width // columns, row * height // rows
        right, bottom = (column + 1) * width // columns, (row + 1) * height // rows
        boxes.append(Rect(left, top, right - left, bottom - top))
    return boxes


def aspect_of(moment: Moment) -> float:
    """Width over height of a moment's board."""
    if moment.scene is not None:
        return moment.scene.level.width / moment.scene.level.height
    if moment.picture is None:
        return 1.0
    return float(moment.picture.shape[1] / moment.picture.shape[0])


def draw_tiles(
    surface: pygame.Surface,
    moments: Sequence[Moment],
    captions: Sequence[str],
    panels: Collection[str],
) -> None:
    """Fill a surface with boards.

    Args:
        surface: to draw on.
        moments: one for each lane.
        captions: words above each board, where there is room.
        panels: names of those that are on; what they draw on the cells is shown.
    """
    surface.fill(palette.NIGHT)
    width, height = surface.get_size()
    pen = Pen.for_size(width, height)
    boxes = tile_boxes(len(moments), width, height, aspect_of(moments[0]))
    for box, moment, caption in zip(boxes, moments, captions, strict=True):
        if box.width > 4 and box.height > 4:
            _draw_tile(surface.subsurface(box), moment, caption, panels, pen)


def lane_boxes(count: int, width: int, height: int, moment: Moment) -> list[Rect]:
    """Boxes of so many lanes like `moment` in a window, above its status line."""
    low = min(height - 1, Pen.for_size(width, height).px(STATUS))
    return tile_boxes(count, width, height - low, aspect_of(moment))


def draw_lanes(
    surface: pygame.Surface,
    moments: Sequence[Moment],
    captions: Sequence[str],
    panels: Collection[str],
    status: str,
    message: Sequence[str],
    bright: bool,
) -> None:
    """Fill a window with boards above a status line; arguments as of `draw_tiles`, `view.draw`."""
    width, height = surface.get_size()
    pen = Pen.for_size(width, height)
    low = min(height - 1, pen.px(STATUS)) if status else 0
    draw_tiles(surface.subsurface((0, 0, width, height - low)), moments, captions, panels)
    if low:
        draw_status(surface.subsurface((0, height - low, width, low)), status, pen, bright)
    if message:
        draw_message(surface, message, pen)


def _draw_tile(
    tile: pygame.Surface, moment: Moment, caption: str, panels: Collection[str], pen: Pen
) -> None:
    width, height = tile.get_size()
    gap = max(2, min(width, height) // 40)
    head = pen.px(CAPTION) if min(width, height) >= pen.px(90) else 0
    if moment.scene is not None:
        layout = Layout.inside(moment.scene.level, width, height, gap, max(head, gap))
        layout = layout._replace(header=0)
        draw_scene(tile, layout, moment, panels, pen)
    elif moment.picture is not None:
        room = (max(1, width - 2 * gap), max(1, height - head - gap))
        tile.blit(fitted(moment.picture, *room), (gap, head))
    if head:
        pen.text(tile, caption, (width / 2, head / 2 + 1), 15, palette.DIM, 0.5, width - 2 * gap)
