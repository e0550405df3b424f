"""Whatever a window shows, drawn: a moment's board and panels, a status line, a message box.

No window, no loop: the same moment at the same size gives the same pixels.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import pygame
from pygame import Rect

from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing import palette
from sidestep.envs.drawing.layout import HEADER, MARGIN, Layout
from sidestep.envs.drawing.screen_window import fitted
from sidestep.scripts.viewer.lines import label, width_of
from sidestep.scripts.viewer.panels.moment import Moment, Pixels
from sidestep.scripts.viewer.panels.pen import GROUND, Pen
from sidestep.scripts.viewer.panels.registry import BY_DEFAULT, PANELS, Panel

DEFAULT_SIZE = (800, 560)
"""(width, height) of a recording, and of a window before it is fitted to the screen."""
STATUS, GAP, TITLE = 30, 8, 22
"""Heights at scale 1: of the status line, between panels, of a panel's title."""

STATUS_HEIGHT = 34
"""Of the line below a picture that is no moment."""
SMALLEST_HEADER = 300
"""Boards narrower than this have no header: its words would not fit."""
Drawing = Callable[[int, int], Pixels]
"""Gives a picture of about (width, height); it is scaled to fit."""
MOST_STACKED = 4
"""More panels than this stand in two columns."""


class Weighted(Protocol):
    """What `arranged` asks of a panel."""

    @property
    def weight(self) -> float:
        """Its share of the height beside the main picture."""
        ...


P = TypeVar("P", bound=Weighted)


class Frame(NamedTuple, Generic[P]):
    """Where everything lies in a picture."""

    board: Rect
    panels: tuple[tuple[P, Rect], ...]
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
    low = pen.px(STATUS)
    if moment.statement and height > 4 * low:
        draw_status(surface.subsurface((0, height - low, width, low)), moment.statement, pen, True)
        surface = surface.subsurface((0, 0, width, height - low))
        height -= low
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
) -> Frame[Panel]:
    """Where board, panels and status line lie: panels on the right, in tall windows below."""
    chosen = [p for p in PANELS if p.name in panels and p.draw is not None and p.applies(moment)]
    return arranged(width, height, chosen, with_status)


def arranged(width: int, height: int, chosen: list[P], with_status: bool = True) -> Frame[P]:
    """Where the main picture, these panels and the status line lie."""
    pen = Pen.for_size(width, height)
    low = min(pen.px(STATUS), height - 1) if with_status else 0
    status = Rect(0, height - low, width, low)
    room = Rect(0, 0, width, height - low)
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


def _stacked(chosen: list[P], side: Rect, pen: Pen) -> list[tuple[P, Rect]]:
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


def _in_columns(chosen: list[P], side: Rect, pen: Pen) -> list[tuple[P, Rect]]:
    """In two columns of about equal weight."""
    gap = pen.px(GAP)
    if len(chosen) == 1:
        return _stacked(chosen, side, pen)
    half = sum(panel.weight for panel in chosen) / 2
    first: list[P] = []
    while len(first) < len(chosen) - 1 and (
        not first or sum(p.weight for p in first) + chosen[len(first)].weight / 2 <= half
    ):
        first.append(chosen[len(first)])
    wide = (side.width - gap) // 2
    left = Rect(side.left, side.top, wide, side.height)
    right = Rect(side.left + wide + gap, side.top, side.width - wide - gap, side.height)
    return _stacked(first, left, pen) + _stacked(chosen[len(first) :], right, pen)


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
        ghosts = any(panel.ghosts for panel in chosen)
        sight = None if sight.is_whole else sight._replace(ghosts=ghosts)
    assert moment.scene is not None
    rendering.draw(surface, moment.scene, layout, sight, under)
    for panel in chosen:
        if panel.over is not None:
            panel.over(surface, layout, moment, pen)


def _draw_panel(surface: pygame.Surface, panel: Panel, moment: Moment, pen: Pen) -> None:
    """A panel's ground and title, and what it draws below."""
    draw_ground(surface, panel.title, "" if panel.note is None else panel.note(moment), pen)
    body = body_of(surface.get_rect(), pen)
    if panel.draw is not None and body is not None:
        panel.draw(surface.subsurface(body), moment, pen)


def body_of(box: Rect, pen: Pen) -> Rect | None:
    """What is left of a panel's box below its title; None where there is no room."""
    top, pad = pen.px(TITLE), pen.px(8)
    body = Rect(box.left + pad, box.top + top, box.width - 2 * pad, box.height - top - pad)
    return body if body.width > 20 and body.height > 8 else None


def draw_ground(surface: pygame.Surface, title: str, note: str, pen: Pen) -> None:
    """A panel's ground and title, and words beside it."""
    width = surface.get_width()
    pygame.draw.rect(surface, GROUND, surface.get_rect(), border_radius=pen.px(8))
    pad = pen.px(8)
    middle = pen.px(TITLE) / 2 + pen.px(1)
    used = pen.text(surface, title, (pad, middle), 18, palette.WHITE, room=width - 2 * pad)
    if note:
        room = width - 2 * pad - used - pen.px(10)
        pen.text(surface, note, (width - pad, middle), 16, palette.DIM, 1, room)


def draw_status(surface: pygame.Surface, words: str, pen: Pen, bright: bool = False) -> None:
    """A line of words that fills a surface."""
    width, height = surface.get_size()
    surface.fill(palette.INK)
    colour = palette.YELLOW if bright else palette.WHITE
    pen.text(surface, words, (pen.px(12), height / 2), 19, colour, room=width - pen.px(24))


def draw_message(surface: pygame.Surface, message: Sequence[str], pen: Pen) -> None:
    """Darken a surface and write lines into its middle; a tab parts two columns."""
    width, height = surface.get_size()
    sizes = [pen.px(18 if k else 25) for k in range(len(message))]
    needed = sum(1.35 * size for size in sizes) + pen.px(24)
    shrink = min(1.0, 0.96 * height / needed)
    sizes = [max(11, int(size * shrink)) for size in sizes]
    rows = [line.split("\t") for line in message]
    first = [width_of(r[0], s) for s, r in zip(sizes, rows, strict=True)]
    tab = max((w for w, r in zip(first, rows, strict=True) if len(r) > 1), default=0) + pen.px(14)
    wide = max(
        tab + width_of(r[1], s) if len(r) > 1 else w
        for w, s, r in zip(first, sizes, rows, strict=True)
    )
    high = sum(1.35 * size for size in sizes)
    box = Rect(0, 0, min(width, wide + pen.px(40)), min(height, round(high) + pen.px(20)))
    _draw_box(surface, box, height, 170, pen.px(1.5), pen.px(12))
    top, left = box.centery - high / 2, box.centerx - wide // 2
    for k, (size, row) in enumerate(zip(sizes, rows, strict=True)):
        middle = top + 0.675 * size
        colour = palette.WHITE if k else palette.YELLOW
        for words, x in zip(row, (left, left + tab), strict=False):
            column = colour if len(row) == 1 or x != left else palette.YELLOW
            line = label(words, size, column)
            place = x if len(row) > 1 else box.centerx - line.get_width() // 2
            surface.blit(line, (place, round(middle - line.get_height() / 2)))
        top += 1.35 * size


def compose(
    draw: Drawing,
    size: tuple[int, int],
    status: str,
    message: Sequence[str] = (),
    bright: bool = False,
) -> Pixels:
    """A picture above its status line, and a message box over it.

    Args:
        draw: the picture.
        size: (width, height) of the whole.
        status: a line; set smaller until it fits.
        message: lines for a box in the middle, the first one larger; none: no box.
        bright: draw attention to the status line.

    Returns:
        (H, W, 3) uint8.
    """
    width, height = size
    whole = pygame.Surface(size, 0, 32)
    whole.fill(palette.INK)
    room = max(1, height - STATUS_HEIGHT)
    whole.blit(fitted(draw(width, room), width, room), (0, 0))
    line = line_within(status, 21, palette.YELLOW if bright else palette.WHITE, width - 2 * MARGIN)
    whole.blit(line, (MARGIN, height - (STATUS_HEIGHT + line.get_height()) // 2))
    if message:
        _draw_lines(whole, message, room)
    return rendering.pixels(whole)


def _draw_lines(whole: pygame.Surface, message: Sequence[str], room: int) -> None:
    """Darken the picture and write the lines in its middle."""
    width = whole.get_width()
    lines = [
        line_within(text, 22 if k else 32, palette.WHITE if k else palette.YELLOW, width - 60)
        for k, text in enumerate(message)
    ]
    high, wide = sum(line.get_height() + 8 for line in lines), max(x.get_width() for x in lines)
    box = Rect(0, 0, wide + 44, high + 24)
    _draw_box(whole, box, room, 150, 2, 14)
    top = box.top + 16
    for line in lines:
        whole.blit(line, (box.centerx - line.get_width() // 2, top))
        top += line.get_height() + 8


def _draw_box(
    surface: pygame.Surface, box: Rect, height: int, veil: int, rim: int, radius: int
) -> None:
    """Darken a surface down to `height` by a veil of 0 to 255, and draw a box in the middle."""
    room = pygame.Surface((surface.get_width(), height), pygame.SRCALPHA)
    room.fill((*palette.NIGHT, veil))
    surface.blit(room, (0, 0))
    box.center = (surface.get_width() // 2, height // 2)
    pygame.draw.rect(surface, palette.INK, box, border_radius=radius)
    pygame.draw.rect(surface, palette.LINE, box, rim, border_radius=radius)


def line_within(text: str, height: int, colour: palette.Colour, width: int) -> pygame.Surface:
    """A line of text, set smaller until it is at most `width` wide; never under 11 pixels."""
    while height > 11 and width_of(text, height) > width:
        height -= 1
    return label(text, height, colour)
