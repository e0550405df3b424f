"""A moment as a picture: the board, panels beside it, a status line. No window, no loop.

The same moment at the same size gives the same pixels.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import pygame
from pygame import Rect

from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing import palette, sprites
from sidestep.scripts.viewer.board import draw_board
from sidestep.scripts.viewer.panels.moment import Moment, Pixels
from sidestep.scripts.viewer.panels.pen import GROUND, Pen
from sidestep.scripts.viewer.panels.registry import BY_DEFAULT, PANELS, Panel

DEFAULT_SIZE = (800, 560)
"""(width, height) of a recording, and of a window before it is fitted to the screen."""
STATUS, GAP, TITLE = 30, 8, 22
"""Heights at scale 1: of the status line, between panels, of a panel's title."""

MOST_STACKED = 4
"""More panels than this stand in two columns."""


class Frame(NamedTuple):
    """Where everything lies in a picture."""

    board: Rect
    panels: tuple[tuple[Panel, Rect], ...]
    status: Rect


def render(
    moment: Moment,
    size: tuple[int, int] = DEFAULT_SIZE,
    panels: Collection[str] = BY_DEFAULT,
    status: str = "",
    message: Sequence[str] = (),
) -> Pixels:
    """A moment as an array (H, W, 3) uint8; arguments as of `draw`, `size` is (width, height)."""
    surface = pygame.Surface(size, 0, 32)
    draw(surface, moment, panels, status, message)
    return rendering.pixels(surface)


def draw(
    surface: pygame.Surface,
    moment: Moment,
    panels: Collection[str] = BY_DEFAULT,
    status: str = "",
    message: Sequence[str] = (),
    bright: bool = False,
) -> None:
    """Fill a surface with a moment.

    Args:
        surface: of any size.
        moment: what to show.
        panels: names of those that are on; those that have nothing to show take no room.
        status: a line below; set smaller until it fits. Empty: no line, and no room for it.
        message: lines for a box in the middle, the first one larger; none: no box.
        bright: draw attention to the status line.
    """
    surface.fill(palette.NIGHT)
    width, height = surface.get_size()
    pen = Pen.for_size(width, height)
    frame = arrange(width, height, moment, panels, bool(status))
    if frame.board.width > 1 and frame.board.height > 1:
        draw_board(surface.subsurface(frame.board), moment, panels, pen)
    for panel, box in frame.panels:
        _draw_panel(surface.subsurface(box), panel, moment, pen)
    if status:
        draw_status(surface.subsurface(frame.status), status, pen, bright)
    if message:
        draw_message(surface, message, pen)


def arrange(
    width: int, height: int, moment: Moment, panels: Collection[str], with_status: bool = True
) -> Frame:
    """Where board, panels and status line lie: panels on the right, in tall windows below."""
    pen = Pen.for_size(width, height)
    low = min(pen.px(STATUS), height - 1) if with_status else 0
    status = Rect(0, height - low, width, low)
    room = Rect(0, 0, width, height - low)
    chosen = [p for p in PANELS if p.name in panels and p.draw is not None and p.applies(moment)]
    if not chosen or room.width < 200 or room.height < 120:
        return Frame(room, (), status)
    gap = pen.px(GAP)
    if width >= height and len(chosen) > MOST_STACKED:
        board = Rect(0, 0, round(0.44 * width), room.height)
        side = Rect(board.right, gap, width - board.width - gap, room.height - 2 * gap)
        return Frame(board, tuple(_in_columns(chosen, side, pen)), status)
    if width >= height:
        column = round((0.4 if len(chosen) > 3 else 0.38) * width)
        board = Rect(0, 0, width - column, room.height)
        side = Rect(board.right, gap, column - gap, room.height - 2 * gap)
        return Frame(board, tuple(_stacked(chosen, side, pen)), status)
    board = Rect(0, 0, width, round(0.55 * room.height))
    side = Rect(gap, board.bottom, width - 2 * gap, room.height - board.height - gap)
    return Frame(board, tuple(_in_columns(chosen, side, pen)), status)


def _stacked(chosen: list[Panel], side: Rect, pen: Pen) -> list[tuple[Panel, Rect]]:
    """One below the other: each has room for a title and a line, the rest goes by weight."""
    gap = pen.px(GAP)
    head = min(pen.px(TITLE + 20), side.height // len(chosen) - gap)
    left = side.height - gap * (len(chosen) - 1) - head * len(chosen)
    total, top, boxes = sum(panel.weight for panel in chosen), side.top, []
    for number, panel in enumerate(chosen):
        last = number == len(chosen) - 1
        high = side.bottom - top if last else head + round(left * panel.weight / total)
        boxes.append((panel, Rect(side.left, top, side.width, high)))
        top += high + gap
    return boxes


def _in_columns(chosen: list[Panel], side: Rect, pen: Pen) -> list[tuple[Panel, Rect]]:
    """In two columns of about equal weight."""
    gap = pen.px(GAP)
    if len(chosen) == 1:
        return _stacked(chosen, side, pen)
    half = sum(panel.weight for panel in chosen) / 2
    first: list[Panel] = []
    while len(first) < len(chosen) - 1 and (
        not first or sum(p.weight for p in first) + chosen[len(first)].weight / 2 <= half
    ):
        first.append(chosen[len(first)])
    wide = (side.width - gap) // 2
    left = Rect(side.left, side.top, wide, side.height)
    right = Rect(side.left + wide + gap, side.top, side.width - wide - gap, side.height)
    return _stacked(first, left, pen) + _stacked(chosen[len(first) :], right, pen)


def _draw_panel(surface: pygame.Surface, panel: Panel, moment: Moment, pen: Pen) -> None:
    """A panel's ground and title, and what it draws below."""
    width, height = surface.get_size()
    pygame.draw.rect(surface, GROUND, surface.get_rect(), border_radius=pen.px(8))
    top, pad = pen.px(TITLE), pen.px(8)
    middle = top / 2 + pen.px(1)
    used = pen.text(surface, panel.title, (pad, middle), 18, palette.WHITE, room=width - 2 * pad)
    if panel.note is not None:
        room = width - 2 * pad - used - pen.px(10)
        pen.text(surface, panel.note(moment), (width - pad, middle), 16, palette.DIM, 1, room)
    body = Rect(pad, top, width - 2 * pad, height - top - pad)
    if panel.draw is not None and body.width > 20 and body.height > 8:
        panel.draw(surface.subsurface(body), moment, pen)


def draw_status(surface: pygame.Surface, words: str, pen: Pen, bright: bool = False) -> None:
    """A line of words that fills a surface."""
    width, height = surface.get_size()
    surface.fill(palette.INK)
    colour = palette.YELLOW if bright else palette.WHITE
    pen.text(surface, words, (pen.px(12), height / 2), 19, colour, room=width - pen.px(24))


def draw_message(surface: pygame.Surface, message: Sequence[str], pen: Pen) -> None:
    """Darken a surface and write lines into its middle; a tab parts two columns."""
    width, height = surface.get_size()
    veil = pygame.Surface((width, height), pygame.SRCALPHA)
    veil.fill((*palette.NIGHT, 170))
    surface.blit(veil, (0, 0))
    sizes = [pen.px(18 if k else 25) for k in range(len(message))]
    needed = sum(1.35 * size for size in sizes) + pen.px(24)
    shrink = min(1.0, 0.96 * height / needed)
    sizes = [max(11, int(size * shrink)) for size in sizes]
    rows = [line.split("\t") for line in message]
    first = [sprites.font(s).size(r[0])[0] for s, r in zip(sizes, rows, strict=True)]
    tab = max((w for w, r in zip(first, rows, strict=True) if len(r) > 1), default=0) + pen.px(14)
    wide = max(
        tab + sprites.font(s).size(r[1])[0] if len(r) > 1 else w
        for w, s, r in zip(first, sizes, rows, strict=True)
    )
    high = sum(1.35 * size for size in sizes)
    box = Rect(0, 0, min(width, wide + pen.px(40)), min(height, round(high) + pen.px(20)))
    box.center = (width // 2, height // 2)
    pygame.draw.rect(surface, palette.INK, box, border_radius=pen.px(12))
    pygame.draw.rect(surface, palette.LINE, box, pen.px(1.5), border_radius=pen.px(12))
    top, left = box.centery - high / 2, box.centerx - wide // 2
    for k, (size, row) in enumerate(zip(sizes, rows, strict=True)):
        middle = top + 0.675 * size
        colour = palette.WHITE if k else palette.YELLOW
        for words, x in zip(row, (left, left + tab), strict=False):
            column = colour if len(row) == 1 or x != left else palette.YELLOW
            line = sprites.label(words, size, column)
            place = x if len(row) > 1 else box.centerx - line.get_width() // 2
            surface.blit(line, (place, round(middle - line.get_height() / 2)))
        top += 1.35 * size
