"""Observations of cells, as kernels over lanes: `planes` shows the map, `window` what is near.

Both are one-hot, (C, H, W) uint8: planes of fixed things, of obstacles by heading, and then
planes of one value each, which say when obstacles move and when they were shown (docs/world.md).
`beacon` is a window that also tells where the goal lies.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sidestep.envs.rules.arrays import tables
from sidestep.envs.rules.grid import Grid
from sidestep.envs.rules.tick import FIRST, GOAL_X, GOAL_Y, HEIGHT, PHASE, WIDTH, X, Y, compiled

from .view import CLOCK_BITS, EVERY, HIDE_HEADINGS, PHASE_BITS, RADIUS, View

FIXED = 3
"""Planes before those of obstacles: walls, agent, goal; of `window` outside, walls, goal."""
KINDS = 5
"""Planes of obstacles: patrols heading left, right, up, down; wanderers."""


NEAR = 64
"""Lanes that are written together, so that what is written is still in the cache."""


@compiled
def plane_of(hx: Any, hy: Any, hide_headings: Any) -> Any:
    """The plane of an obstacle: left, right, up, down, wanderer; one for all when hidden."""
    still = (hx == 0) & (hy == 0)
    kind = (hx == 1) * 1 + (hy == -1) * 2 + (hy == 1) * 3 + still * 4
    return FIXED + kind * (1 - hide_headings)


@compiled
def write_signals(cells: Any, state: Any, clock: Any, area: Any, view: Any) -> None:
    """Fill the last planes: the phase in binary, lowest digit first; shown; the age in binary."""
    phase_bits, clock_bits, every = view[PHASE_BITS], view[CLOCK_BITS], view[EVERY]
    signals = (FIXED + (1 if view[HIDE_HEADINGS] else KINDS)) * area
    for i in range(cells.shape[0]):
        place = signals
        for digit in range(phase_bits):
            fill(cells[i, place : place + area], (state[PHASE, i] >> digit) & 1)
            place += area
        if every > 1:
            age = clock[i] % every
            fill(cells[i, place : place + area], age == 0)
            for digit in range(clock_bits):
                place += area
                fill(cells[i, place : place + area], (age >> digit) & 1)


@compiled
def fill(plane: Any, value: Any) -> None:
    """Give all cells of a plane a value."""
    for place in range(plane.shape[0]):
        plane[place] = value


@compiled
def planes(
    state: Any,
    clock: Any,
    level_of: Any,
    sites: Any,
    ground: Any,
    rules: Any,
    view: Any,
    out: Any,
) -> None:
    """Write `planes`: the whole map, on `planes_ground`.

    Unsigned places, because signed ones cost a comparison each: negative ones count from the end.
    """
    lanes, width, area = out.shape[0], out.shape[3], out.shape[2] * out.shape[3]
    size, every, hidden = out.shape[1] * area, view[EVERY], view[HIDE_HEADINGS]
    cells, flat = out.reshape(lanes, size), out.reshape(lanes * size)
    for begin in range(0, lanes, NEAR):
        end = min(begin + NEAR, lanes)
        ax, ay = state[X, begin:end], state[Y, begin:end]
        for i in range(end - begin):
            level = level_of[begin + i]
            for place in range(size):
                cells[begin + i, place] = ground[level, place]
            cells[begin + i, area + ay[i] * width + ax[i]] = 1
        ticks = clock[begin:end]
        for first in range(FIRST, state.shape[0], 4):
            x, y = state[first, begin:end], state[first + 1, begin:end]
            hx, hy = state[first + 2, begin:end], state[first + 3, begin:end]
            for i in range(end - begin):
                shown = np.uint8(1) if every == 1 else np.uint8(ticks[i] % every == 0)
                kind = np.uint64(plane_of(hx[i], hy[i], hidden))
                cell = np.uint64(y[i]) * np.uint64(width) + np.uint64(x[i])
                flat[np.uint64((begin + i) * size) + kind * np.uint64(area) + cell] |= shown
    write_signals(cells, state, clock, area, view)


@compiled
def window(
    state: Any,
    clock: Any,
    level_of: Any,
    sites: Any,
    ground: Any,
    rules: Any,
    view: Any,
    out: Any,
) -> None:
    """Write `window`: the cells round the agent, who stands in the middle, of `window_ground`."""
    radius, side = view[RADIUS], 2 * view[RADIUS] + 1
    lanes, area, every, hidden = out.shape[0], side * side, view[EVERY], view[HIDE_HEADINGS]
    size, high, wide = out.shape[1] * area, ground.shape[2], ground.shape[3]
    cells, flat = out.reshape(lanes, size), out.reshape(lanes * size)
    map_of = ground.reshape(ground.size)
    flat[:] = 0
    for begin in range(0, lanes, NEAR):
        end = min(begin + NEAR, lanes)
        ax, ay = state[X, begin:end], state[Y, begin:end]
        for i in range(end - begin):
            corner = (level_of[begin + i] * FIXED * high + ay[i]) * wide + ax[i]
            for number in range(FIXED):
                for y in range(side):
                    to = np.uint64((begin + i) * size + number * area + y * side)
                    source = np.uint64(corner + (number * high + y) * wide)
                    for x in range(side):
                        flat[to + np.uint64(x)] = map_of[source + np.uint64(x)]
        ticks = clock[begin:end]
        for first in range(FIRST, state.shape[0], 4):
            ox, oy = state[first, begin:end], state[first + 1, begin:end]
            hx, hy = state[first + 2, begin:end], state[first + 3, begin:end]
            for i in range(end - begin):
                x, y = ox[i] - ax[i] + radius, oy[i] - ay[i] + radius
                near = (x >= 0) & (x < side) & (y >= 0) & (y < side)
                if near and (every == 1 or ticks[i] % every == 0):
                    place = plane_of(hx[i], hy[i], hidden) * area + y * side + x
                    flat[np.uint64((begin + i) * size + place)] = 1
    write_signals(cells, state, clock, area, view)


@compiled
def beacon(
    state: Any,
    clock: Any,
    level_of: Any,
    sites: Any,
    ground: Any,
    rules: Any,
    view: Any,
    out: Any,
) -> None:
    """Write `beacon`: `window`, and a goal beyond it where the window's edge is nearest to it."""
    window(state, clock, level_of, sites, ground, rules, view, out)
    radius = view[RADIUS]
    for i in range(out.shape[0]):
        goal_x, goal_y = sites[level_of[i], GOAL_X], sites[level_of[i], GOAL_Y]
        x = min(max(goal_x - state[X, i], -radius), radius) + radius
        y = min(max(goal_y - state[Y, i], -radius), radius) + radius
        out[i, 2, y, x] = 1


def planes_ground(levels: Sequence[Grid], view: View) -> NDArray[np.uint8]:
    """What never moves in `planes`, a row a level: (L, C * H * W).

    Cells beyond a level smaller than the others are walls.
    """
    sites, _, walls = tables(levels)
    ground = np.zeros((len(levels), channels(view), *walls.shape[1:]), dtype=np.uint8)
    ground[:, 0] = walls
    ground[np.arange(len(levels)), 2, sites[:, GOAL_Y], sites[:, GOAL_X]] = 1
    return ground.reshape(len(levels), -1)


def window_ground(levels: Sequence[Grid], view: View) -> NDArray[np.uint8]:
    """What never moves in `window`: (L, 3, H + 2 r, W + 2 r), outside, walls and goal."""
    return _window_ground(tuple(levels), view.radius)


@lru_cache(maxsize=8)
def _window_ground(levels: tuple[Grid, ...], r: int) -> NDArray[np.uint8]:
    """`window_ground`, shared by worlds of the same levels as `tables` are."""
    sites, _, walls = tables(levels)
    number, height, width = walls.shape
    ground = np.zeros((number, FIXED, height + 2 * r, width + 2 * r), dtype=np.uint8)
    down = np.arange(height) < sites[:, HEIGHT, None]  # (L, H)
    across = np.arange(width) < sites[:, WIDTH, None]  # (L, W)
    inside = down[:, :, None] & across[:, None]
    ground[:, 0] = 1
    ground[:, 0, r : r + height, r : r + width] = ~inside
    ground[:, 1, r : r + height, r : r + width] = walls & inside
    ground[np.arange(number), 2, r + sites[:, GOAL_Y], r + sites[:, GOAL_X]] = 1
    return ground


def channels(view: View) -> int:
    """The number of planes."""
    clock = 1 + view.clock_bits if view.every > 1 else 0
    return FIXED + (1 if view.hide_headings else KINDS) + view.phase_bits + clock


def planes_space(levels: Sequence[Grid], view: View) -> spaces.Box:
    """The Box of `planes`, of the size of the largest level."""
    height, width = max(level.height for level in levels), max(level.width for level in levels)
    return _planes_box(channels(view), height, width)


def window_space(levels: Sequence[Grid], view: View) -> spaces.Box:
    """The Box of `window`."""
    del levels
    side = 2 * view.radius + 1
    return _planes_box(channels(view), side, side)


def _planes_box(*shape: int) -> spaces.Box:
    """The Box of planes (C, H, W), with a word on it that its channels are first."""
    box = spaces.Box(0, 1, shape, dtype=np.uint8)
    box.channels_axis = "first"  # type: ignore[attr-defined]
    return box
