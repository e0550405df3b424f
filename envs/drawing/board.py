"""Pictures of the world: one lane, or many side by side, drawn off screen; and as text.

Imported only when something is drawn. A picture is a function of its `Scene`: the same scene gives
the same pixels, and a hit or a reached goal shows in the picture of the tick that brought it.
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np
import pygame
from numpy.typing import NDArray

from sidestep.envs.levels.level import Level
from sidestep.envs.rules.grid import Cell
from sidestep.envs.world import Scene

from . import palette, sprites
from .ansi import next_heading
from .ansi import text as text
from .layout import CELL_SIDES, MARGIN
from .layout import Layout as Layout
from .palette import Colour
from .screen_window import Window as Window
from .sight import Sight as Sight

Pixels = NDArray[np.uint8]
"""A picture, (H, W, 3)."""

TILE_SIDE = 800
"""The longer side of an overview, about."""


def frame(scene: Scene, size: tuple[int, int] | None = None) -> Pixels:
    """The picture of one lane.

    Args:
        scene: what to draw.
        size: (width, height) in pixels; None for the default, which depends on the level alone.

    Returns:
        (H, W, 3) uint8.
    """
    layout = Layout.default(scene.level) if size is None else Layout.inside(scene.level, *size)
    surface = pygame.Surface((layout.width, layout.height), 0, 32)
    draw(surface, scene, layout)
    return pixels(surface)


def tiled(scenes: Sequence[Scene]) -> Pixels:
    """Many lanes side by side, row by row; cells shrink so that the picture keeps its size.

    Args:
        scenes: one to a few hundred, of one level or of several.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: no scenes.
    """
    if not scenes:
        raise ValueError("scenes: expected at least one, got none")
    columns = math.ceil(math.sqrt(len(scenes)))
    rows = math.ceil(len(scenes) / columns)
    wide = max(scene.level.width for scene in scenes)
    high = max(scene.level.height for scene in scenes)
    gap = 4 if columns > 4 else 8
    room = TILE_SIDE // columns - 2 * gap
    cell = min(CELL_SIDES[0], max(4, room // max(wide, high) // 2 * 2))
    width, height = wide * cell + 2 * gap, high * cell + 2 * gap
    canvas = pygame.Surface((columns * width, rows * height), 0, 32)
    canvas.fill(palette.NIGHT)
    for number, scene in enumerate(scenes):
        row, column = divmod(number, columns)
        tile = canvas.subsurface((column * width, row * height, width, height))
        draw(tile, scene, Layout.inside(scene.level, width, height, margin=gap, header=0))
    return pixels(canvas)


def show(window: Window, scene: Scene, fps: float) -> None:
    """Show a lane in a window, drawn at the window's own size; nothing once it is closed.

    Args:
        window: opened when it is not yet.
        scene: what to draw.
        fps: most pictures a second; waits for the rest of this one's time.
    """
    layout = Layout.default(scene.level)
    window.open(layout.width, layout.height)
    if not window.closed:
        window.show(frame(scene, window.size), fps)


def pixels(surface: pygame.Surface) -> Pixels:
    """A surface's colours, (H, W, 3) uint8, copied."""
    flat = np.frombuffer(bytearray(pygame.image.tobytes(surface, "RGB")), dtype=np.uint8)
    return flat.reshape(surface.get_height(), surface.get_width(), 3)


def draw(
    surface: pygame.Surface,
    scene: Scene,
    layout: Layout,
    sight: Sight | None = None,
    under: Callable[[pygame.Surface, Layout], None] | None = None,
) -> None:
    """Draw a scene onto a surface of the layout's size.

    Args:
        surface: to draw on.
        scene: what to draw.
        layout: where.
        sight: what an agent sees of it; the rest is left out or drawn as ghosts. None: all is seen.
        under: called with surface and layout to draw on the floor, below all figures.
    """
    surface.blit(background(scene.level, layout), (0, 0))
    if under is not None:
        under(surface, layout)
    if sight is not None:
        _draw_veil(surface, scene, layout, sight)
        scene = sight.applied(scene)
    _draw_trails(surface, scene, layout, sight)
    if scene.success:
        goal = scene.level.goal
        side = _within(surface, layout, 1.38, goal.x, goal.y)
        _blit(surface, sprites.rays(side), layout, goal.x, goal.y)
    _draw_figures(surface, scene, layout, sight)
    _draw_outcome(surface, scene, layout)
    if layout.header:
        _draw_header(surface, scene, layout, sight is None or sight.phase or sight.ghosts)


@lru_cache(maxsize=64)
def background(level: Level, layout: Layout) -> pygame.Surface:
    """What never changes: floor, walls, the patrols' tracks, start and goal."""
    surface = pygame.Surface((layout.width, layout.height), 0, 32)
    surface.fill(palette.NIGHT)
    for (x, y), character in level.cells():
        cell = sprites.floor(layout.cell, odd=bool((x + y) % 2))
        _blit(surface, sprites.wall(layout.cell) if character == "#" else cell, layout, x, y)
    for obstacle in level.obstacles:
        if not obstacle.is_wanderer:
            left, top, right, bottom = level.track(obstacle)
            half = layout.cell // 2
            begin, end = layout.corner(left, top), layout.corner(right, bottom)
            first, last = ((x + half, y + half) for x, y in (begin, end))
            colour = palette.mix(palette.FLOOR, palette.ORANGE, 0.22)
            thickness = max(1, layout.cell // 26)
            pygame.draw.line(surface, colour, first, last, thickness)
            for place in (first, last):
                pygame.draw.circle(surface, colour, place, 1.6 * thickness)
    _blit(surface, sprites.start(layout.cell), layout, *level.start)
    _blit(surface, sprites.goal(layout.cell), layout, *level.goal)
    return surface


def _blit(
    surface: pygame.Surface, sprite: pygame.Surface, layout: Layout, x: float, y: float
) -> None:
    """Put a sprite of any size on the middle of cell x, y."""
    left, top = layout.corner(x + 0.5, y + 0.5)
    place = (left - sprite.get_width() // 2, top - sprite.get_height() // 2)
    surface.blit(sprite, place, special_flags=pygame.BLEND_PREMULTIPLIED)


def _within(surface: pygame.Surface, layout: Layout, cells: float, x: float, y: float) -> int:
    """The side of a sprite `cells` wide about the middle of cell x, y, smaller where it is cut."""
    left, top = layout.corner(x + 0.5, y + 0.5)
    width, height = surface.get_size()
    room = min(left, width - left, top - max(0, layout.header - MARGIN), height - top)
    return max(1, min(round(cells * layout.cell), 2 * room))


def _draw_veil(surface: pygame.Surface, scene: Scene, layout: Layout, sight: Sight) -> None:
    """Darken the cells that are out of sight."""
    if sight.radius is None:
        return
    veil = sprites.veil(layout.cell)
    for cell, _ in scene.level.cells():
        if not sight.reaches(scene.agent, cell):
            surface.blit(veil, layout.corner(*cell))


def _draw_trails(
    surface: pygame.Surface, scene: Scene, layout: Layout, sight: Sight | None
) -> None:
    """A faint streak from where each figure stood before the last tick."""
    now = [scene.agent, *(Cell(x, y) for x, y, _, _ in scene.obstacles)]
    for k, (cell, before) in enumerate(zip(now, scene.previous, strict=True)):
        if k and sight is not None and not sight.shows(scene, k - 1):
            continue
        if cell != before:
            step = (cell.x - before.x, cell.y - before.y)
            wanders = k > 0 and scene.obstacles[k - 1][2:] == (0, 0)
            colour = palette.SKY if k == 0 else palette.PURPLE if wanders else palette.ORANGE
            _blit(surface, sprites.streak(layout.cell, step, colour), layout, *cell)


def _draw_figures(
    surface: pygame.Surface, scene: Scene, layout: Layout, sight: Sight | None
) -> None:
    """Obstacles and agent; those in a collision are drawn a little back on their way."""
    (x, y), ready = scene.agent, scene.phase == 0
    before = scene.previous[0]
    struck = _struck(scene)
    if struck:
        places = [_pulled(scene.agent, before), *(_pulled(*pair) for pair in struck.values())]
        middle = [sum(axis) / len(places) for axis in zip(*places, strict=True)]
        side = _within(surface, layout, 1.7, middle[0], middle[1])
        _blit(surface, sprites.burst(side), layout, middle[0], middle[1])
    crowd: Counter[Cell] = Counter()
    for k, (ox, oy, hx, hy) in enumerate(scene.obstacles):
        place: tuple[float, float] = _pulled(*struck[k]) if k in struck else (ox, oy)
        aside = 0.1 * crowd[Cell(ox, oy)]
        crowd[Cell(ox, oy)] += 1
        seen = sight is None or sight.shows(scene, k) or k in struck
        if not seen and sight is not None and not sight.ghosts:
            continue
        if (hx, hy) == (0, 0):
            figure = sprites.wanderer(layout.cell, ready)
        elif sight is not None and not sight.headings and not sight.ghosts:
            figure = sprites.unheaded(layout.cell, ready)
        else:
            heading = next_heading(scene.level, ox, oy, hx, hy)
            figure = sprites.patrol(layout.cell, heading, ready)
        if not seen:
            figure = sprites.ghost(figure)
        _blit(surface, figure, layout, place[0] + aside, place[1] - aside)
    mood: sprites.Mood = "hurt" if scene.hit else "happy" if scene.success else "calm"
    figure = sprites.agent(layout.cell, (x - before.x, y - before.y), mood)
    _blit(surface, figure, layout, *(_pulled(scene.agent, before) if struck else scene.agent))


def _struck(scene: Scene) -> dict[int, tuple[Cell, Cell]]:
    """The obstacles that the agent met in a hit, each with its cells now and before."""
    if not scene.hit:
        return {}
    met, now, before = {}, scene.agent, scene.previous[0]
    for k, (x, y, _, _) in enumerate(scene.obstacles):
        cell, origin = Cell(x, y), scene.previous[k + 1]
        if cell == now or (cell == before and origin == now):
            met[k] = (cell, origin)
    return met


def _pulled(cell: Cell, before: Cell) -> tuple[float, float]:
    """Three tenths of the way back to `before`."""
    return cell.x + 0.3 * (before.x - cell.x), cell.y + 0.3 * (before.y - cell.y)


def outcome(scene: Scene) -> tuple[str, Colour] | None:
    """The word and colour of what the last tick brought, if it brought anything."""
    if scene.hit:
        return ("GOAL, HIT" if scene.success else "HIT"), palette.VERMILION
    if scene.success:
        return "GOAL", palette.GREEN
    if scene.max_ticks is not None and scene.tick >= scene.max_ticks:
        return "TIME OUT", palette.DIM
    return None


def _draw_outcome(surface: pygame.Surface, scene: Scene, layout: Layout) -> None:
    """A frame round the board in the outcome's colour."""
    result = outcome(scene)
    if result is not None:
        board = pygame.Rect(
            layout.corner(0, 0),
            (layout.cell * scene.level.width, layout.cell * scene.level.height),
        )
        thick = 4 if layout.header else 3
        pygame.draw.rect(surface, result[1], board.inflate(thick, thick), thick, border_radius=8)


def _draw_header(surface: pygame.Surface, scene: Scene, layout: Layout, with_phase: bool) -> None:
    """Tick counter and time bar; what happened; whether obstacles move in the coming tick."""
    left, right, middle = MARGIN, layout.width - MARGIN, 22
    limit = scene.max_ticks
    count = f"tick {scene.tick}" if limit is None else f"tick {scene.tick} / {limit}"
    counter = sprites.label(count, 24, palette.WHITE)
    surface.blit(counter, (left, middle - counter.get_height() // 2))
    if scene.obstacles and with_phase:
        due = scene.phase == 0
        words = "move next" if due else f"wait {scene.phase}"
        fill, ink = (palette.ORANGE, palette.INK) if due else (palette.LINE, palette.WHITE)
        right = _draw_pill(surface, words, fill, ink, right, middle) - 8
    result = outcome(scene)
    if result is not None:
        ink = palette.INK if result[1] == palette.DIM else palette.WHITE
        _draw_pill(surface, result[0], result[1], ink, right, middle)
    if limit is not None:
        bar = pygame.Rect(left, 38, layout.width - 2 * MARGIN, 4)
        pygame.draw.rect(surface, palette.LINE, bar, border_radius=2)
        bar.width = round(bar.width * max(0.0, 1 - scene.tick / limit))
        if bar.width:
            pygame.draw.rect(surface, palette.SKY, bar, border_radius=2)


def _draw_pill(
    surface: pygame.Surface, words: str, fill: Colour, ink: Colour, right: int, middle: int
) -> int:
    """Words on a rounded ground that ends at `right`; returns where it begins."""
    writing = sprites.label(words, 21, ink)
    width = writing.get_width() + 20
    pygame.draw.rect(surface, fill, (right - width, middle - 12, width, 24), border_radius=12)
    surface.blit(writing, (right - width + 10, middle - writing.get_height() // 2 + 1))
    return right - width
