"""The figures of a picture: anti-aliased, drawn once for a size and kept.

Every sprite is drawn four times too large and scaled down. Its colours are premultiplied by alpha,
so it is blitted with `pygame.BLEND_PREMULTIPLIED`.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import pygame

from . import palette
from .palette import Colour

Point = tuple[float, float]
Heading = tuple[int, int]
Mood = Literal["calm", "hurt", "happy"]
Draw = Callable[[pygame.Surface, int], None]

SUPERSAMPLING = 4
GHOST = 95
"""Opacity of what is there but not seen, of 255."""
KEPT = 512
"""Sprites kept; a level needs about thirty for each size of its cells."""


def sprite(side: int, draw: Draw) -> pygame.Surface:
    """What `draw(surface, large_side)` draws, scaled down to `side` pixels a side."""
    large = max(side, 1) * SUPERSAMPLING
    surface = pygame.Surface((large, large), pygame.SRCALPHA)
    draw(surface, large)
    return pygame.transform.smoothscale(surface.premul_alpha(), (max(side, 1), max(side, 1)))


_FONTS: dict[int, pygame.font.Font] = {}


def font(height: int) -> pygame.font.Font:
    """Return the font that comes with pygame, so that pictures are the same everywhere.

    Another library's `pygame.quit()` ends all fonts; they are made again then. Do not keep it.
    """
    try:
        _FONTS[height].get_height()
    except (KeyError, pygame.error):  # pygame.error: made before pygame's fonts were ended
        if not pygame.font.get_init():
            pygame.font.init()
        _FONTS[height] = pygame.font.Font(None, height)
    return _FONTS[height]


@lru_cache(maxsize=KEPT)
def label(text: str, height: int, colour: Colour) -> pygame.Surface:
    """A line of text; blitted plainly, not premultiplied."""
    return font(height).render(text, True, colour)


@lru_cache(maxsize=KEPT)
def floor(side: int, odd: bool) -> pygame.Surface:
    """A cell to walk on."""

    def draw(surface: pygame.Surface, n: int) -> None:
        colour = palette.FLOOR_ODD if odd else palette.FLOOR
        _box(surface, colour, n, 0.025, 0.12)

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def wall(side: int) -> pygame.Surface:
    """A block that only stops."""

    def draw(surface: pygame.Surface, n: int) -> None:
        _box(surface, palette.WALL, n, 0.025, 0.12)
        _box(surface, palette.WALL_LIGHT, n, 0.025, 0.12, bottom=0.80)
        _box(surface, palette.WALL, n, 0.06, 0.10, bottom=0.76)

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def start(side: int) -> pygame.Surface:
    """A ring where the agent begins."""

    def draw(surface: pygame.Surface, n: int) -> None:
        for step in range(12):
            angle = math.tau * step / 12
            spot = (n / 2 + 0.36 * n * math.cos(angle), n / 2 + 0.36 * n * math.sin(angle))
            pygame.draw.circle(surface, palette.mix(palette.FLOOR, palette.SKY, 0.6), spot, n / 28)

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def goal(side: int) -> pygame.Surface:
    """A green cell with a flag."""

    def draw(surface: pygame.Surface, n: int) -> None:
        _box(surface, palette.GREEN, n, 0.025, 0.12)
        _box(surface, palette.mix(palette.FLOOR, palette.GREEN, 0.35), n, 0.075, 0.09)
        _capsule(surface, palette.WHITE, (0.36 * n, 0.20 * n), (0.36 * n, 0.80 * n), 0.028 * n)
        banner = [(0.40, 0.24), (0.74, 0.36), (0.40, 0.50)]
        _rounded(surface, palette.GREEN, [(x * n, y * n) for x, y in banner], 0.03 * n)
        pygame.draw.ellipse(surface, palette.WHITE, (0.25 * n, 0.77 * n, 0.22 * n, 0.07 * n))

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def agent(side: int, look: Heading, mood: Mood) -> pygame.Surface:
    """A round figure that looks where it last went."""

    def draw(surface: pygame.Surface, n: int) -> None:
        middle = (n / 2, n / 2)
        pygame.draw.circle(surface, palette.INK, middle, 0.39 * n)
        pygame.draw.circle(surface, palette.SKY, middle, 0.355 * n)
        for sign in (-1, 1):
            _eye(surface, n, (n / 2 + sign * 0.13 * n, 0.43 * n), look, mood)
        mouth = pygame.Rect(0.38 * n, 0.46 * n, 0.24 * n, 0.22 * n)
        if mood == "hurt":
            pygame.draw.ellipse(surface, palette.INK, mouth.inflate(-0.1 * n, -0.08 * n))
        else:
            grin = mouth.inflate(0.06 * n, 0.04 * n) if mood == "happy" else mouth
            pygame.draw.arc(surface, palette.INK, grin, math.pi * 1.1, math.pi * 1.9, n // 28)

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def patrol(side: int, heading: Heading, ready: bool) -> pygame.Surface:
    """A vehicle with a nose in the direction of its next move; bright when that move is due."""

    def draw(surface: pygame.Surface, n: int) -> None:
        body = palette.ORANGE if ready else palette.mix(palette.ORANGE, palette.FLOOR, 0.30)
        mark = palette.WHITE if ready else palette.mix(palette.ORANGE, palette.INK, 0.65)
        shape = [(-0.25, -0.25), (0.10, -0.25), (0.29, 0.0), (0.10, 0.25), (-0.25, 0.25)]
        _rounded(surface, palette.INK, _turned(shape, heading, n), 0.095 * n)
        _rounded(surface, body, _turned(shape, heading, n), 0.06 * n)
        for nose in (0.19, 0.0) if ready else (0.10,):
            chevron = [(nose - 0.13, -0.13), (nose, 0.0), (nose - 0.13, 0.13)]
            points = _turned(chevron, heading, n)
            _capsule(surface, mark, points[0], points[1], 0.032 * n)
            _capsule(surface, mark, points[1], points[2], 0.032 * n)

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def wanderer(side: int, ready: bool) -> pygame.Surface:
    """A diamond with a nose in every direction; bright when a move is due."""

    def draw(surface: pygame.Surface, n: int) -> None:
        body = palette.PURPLE if ready else palette.mix(palette.PURPLE, palette.FLOOR, 0.30)
        mark = palette.WHITE if ready else palette.mix(palette.PURPLE, palette.INK, 0.65)
        shape = [(0.5 * n + x * n, 0.5 * n + y * n) for x, y in _around(0.31)]
        _rounded(surface, palette.INK, shape, 0.095 * n)
        _rounded(surface, body, shape, 0.06 * n)
        for heading in _around(1):
            chevron = [(0.18, -0.075), (0.255, 0.0), (0.18, 0.075)]
            points = _turned(chevron, (round(heading[0]), round(heading[1])), n)
            _capsule(surface, mark, points[0], points[1], 0.026 * n)
            _capsule(surface, mark, points[1], points[2], 0.026 * n)
        pygame.draw.circle(surface, mark, (n / 2, n / 2), 0.065 * n)

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def unheaded(side: int, ready: bool) -> pygame.Surface:
    """A patrol whose heading is not seen: a disc with a question mark."""

    def draw(surface: pygame.Surface, n: int) -> None:
        body = palette.ORANGE if ready else palette.mix(palette.ORANGE, palette.FLOOR, 0.30)
        mark = palette.WHITE if ready else palette.mix(palette.ORANGE, palette.INK, 0.65)
        pygame.draw.circle(surface, palette.INK, (n / 2, n / 2), 0.335 * n)
        pygame.draw.circle(surface, body, (n / 2, n / 2), 0.30 * n)
        sign = font(max(8, round(0.56 * n))).render("?", True, mark)
        surface.blit(sign, sign.get_rect(center=(n // 2, round(0.52 * n))))

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def ghost(figure: pygame.Surface) -> pygame.Surface:
    """A figure that one can look through, for what is there but not seen."""
    pale = figure.copy()
    pale.fill((GHOST,) * 4, special_flags=pygame.BLEND_RGBA_MULT)
    return pale


@lru_cache(maxsize=KEPT)
def veil(side: int) -> pygame.Surface:
    """Darkness over a cell."""
    surface = pygame.Surface((side, side), pygame.SRCALPHA)
    surface.fill((*palette.NIGHT, 170))
    return surface


@lru_cache(maxsize=KEPT)
def burst(side: int) -> pygame.Surface:
    """The flash of a hit."""

    def draw(surface: pygame.Surface, n: int) -> None:
        for colour, outer in ((palette.VERMILION, 0.5), (palette.YELLOW, 0.40)):
            pygame.draw.polygon(surface, colour, _star(n, 11, outer, outer * 0.62))

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def rays(side: int) -> pygame.Surface:
    """The glory of a reached goal."""

    def draw(surface: pygame.Surface, n: int) -> None:
        pygame.draw.polygon(surface, palette.YELLOW, _star(n, 16, 0.5, 0.33))
        pygame.draw.circle(surface, palette.GREEN, (n / 2, n / 2), 0.37 * n)

    return sprite(side, draw)


@lru_cache(maxsize=KEPT)
def streak(side: int, step: Heading, colour: Colour) -> pygame.Surface:
    """The trail of one step, three cells a side, its head in the middle."""

    def draw(surface: pygame.Surface, n: int) -> None:
        for k in range(25):
            back = (1 - k / 24) / 3
            spot = (n / 2 - step[0] * back * n, n / 2 - step[1] * back * n)
            tint = pygame.Color(*colour, 20 + 4 * k)
            pygame.draw.circle(surface, tint, spot, n / 3 * (0.10 + 0.15 * k / 24))

    return sprite(3 * side, draw)


def _around(radius: float) -> list[Point]:
    return [(0, -radius), (radius, 0), (0, radius), (-radius, 0)]


def _turned(points: Sequence[Point], heading: Heading, n: int) -> list[Point]:
    """Points of a figure that points right, in cells from its middle, turned to `heading`."""
    hx, hy = heading
    return [(n / 2 + (x * hx - y * hy) * n, n / 2 + (x * hy + y * hx) * n) for x, y in points]


def _star(n: int, tips: int, outer: float, inner: float) -> list[Point]:
    radii = [(outer if k % 2 == 0 else inner) * n for k in range(2 * tips)]
    angles = [math.pi * k / tips - math.pi / 2 for k in range(2 * tips)]
    return [
        (n / 2 + r * math.cos(a), n / 2 + r * math.sin(a))
        for r, a in zip(radii, angles, strict=True)
    ]


def _box(
    surface: pygame.Surface,
    colour: Colour,
    n: int,
    inset: float,
    radius: float,
    bottom: float | None = None,
) -> None:
    """A rounded square; `bottom` cuts it short at that height."""
    height = (1 - 2 * inset if bottom is None else bottom - inset) * n
    box = pygame.Rect(inset * n, inset * n, (1 - 2 * inset) * n, height)
    pygame.draw.rect(surface, colour, box, border_radius=int(radius * n))


def _capsule(
    surface: pygame.Surface, colour: Colour, begin: Point, end: Point, radius: float
) -> None:
    """A thick line with round ends."""
    length = math.dist(begin, end) or 1.0
    across = (-(end[1] - begin[1]) / length * radius, (end[0] - begin[0]) / length * radius)
    corners = [
        (begin[0] + across[0], begin[1] + across[1]),
        (end[0] + across[0], end[1] + across[1]),
        (end[0] - across[0], end[1] - across[1]),
        (begin[0] - across[0], begin[1] - across[1]),
    ]
    pygame.draw.polygon(surface, colour, corners)
    pygame.draw.circle(surface, colour, begin, radius)
    pygame.draw.circle(surface, colour, end, radius)


def _rounded(
    surface: pygame.Surface, colour: Colour, points: Sequence[Point], radius: float
) -> None:
    """A polygon swollen by `radius`, with round corners."""
    pygame.draw.polygon(surface, colour, points)
    for begin, end in zip(points, [*points[1:], points[0]], strict=True):
        _capsule(surface, colour, begin, end, radius)


def _eye(surface: pygame.Surface, n: int, middle: Point, look: Heading, mood: Mood) -> None:
    x, y = middle
    if mood == "calm":
        pygame.draw.circle(surface, palette.WHITE, middle, 0.085 * n)
        pupil = (x + 0.035 * n * look[0], y + 0.035 * n * look[1])
        pygame.draw.circle(surface, palette.INK, pupil, 0.045 * n)
    elif mood == "hurt":
        for sign in (-1, 1):
            begin, end = (
                (x - 0.055 * n, y - sign * 0.055 * n),
                (x + 0.055 * n, y + sign * 0.055 * n),
            )
            _capsule(surface, palette.INK, begin, end, 0.02 * n)
    else:
        lid = pygame.Rect(x - 0.075 * n, y - 0.06 * n, 0.15 * n, 0.15 * n)
        pygame.draw.arc(surface, palette.INK, lid, math.pi * 0.05, math.pi * 0.95, n // 28)
