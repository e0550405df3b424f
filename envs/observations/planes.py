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
from sidestep.envs.rules.memory import piece
from sidestep.envs.rules.tick import (
    FIRST,
    GOAL_X,
    GOAL_Y,
    HEIGHT,
    PHASE,
    WIDTH,
    X,
    Y,
    at,
    compiled,
    inlined,
)

from .view import CLOCK_BITS, EVERY, HIDE_HEADINGS, PHASE_BITS, RADIUS, View

FIXED = 3
"""Planes before those of obstacles: walls, agent, goal; of `window` outside, walls, goal."""
KINDS = 5
"""Planes of obstacles: patrols heading left, right, up, down; wanderers."""
NEAR = 64
"""Lanes that are written together, so that what is written is still in the cache."""
LARGEST_CUT = 2**26
"""Most bytes of what is seen from every column of every map: 14,000 maps of 12x12, radius 3."""


@inlined
def plane_of(hx: Any, hy: Any, hide_headings: Any) -> Any:
    """The plane of an obstacle: left, right, up, down, wanderer; one for all when hidden."""
    one, still = np.int32(1), np.int32((hx == 0) & (hy == 0))
    kind = np.int32(hx == 1) + np.int32(2) * np.int32(hy == -1) + np.int32(3) * np.int32(hy == 1)
    return np.int32(FIXED) + (kind + np.int32(4) * still) * (one - np.int32(hide_headings))


@inlined
def write_signals(flat: Any, size: Any, state: Any, clock: Any, area: Any, view: Any) -> None:
    """Fill the last planes: the phase in binary, lowest digit first; shown; the age in binary."""
    lanes, every, phase = clock.shape[0], view[EVERY], state[PHASE]
    place = (FIXED + (1 if view[HIDE_HEADINGS] else KINDS)) * area
    for digit in range(view[PHASE_BITS]):
        for i in range(lanes):
            fill(flat, i * size + place, area, (phase[i] >> digit) & 1)
        place += area
    if every > 1:
        for i in range(lanes):
            age, begin = clock[i] % every, i * size + place
            fill(flat, begin, area, age == 0)
            for digit in range(view[CLOCK_BITS]):
                begin += area
                fill(flat, begin, area, (age >> digit) & 1)


@inlined
def fill(flat: Any, begin: Any, number: Any, value: Any) -> None:
    """Give cells from `begin` on a value."""
    first, byte = np.uint64(begin), np.uint8(value)
    for place in range(number):
        flat[first + np.uint64(place)] = byte


@inlined
def copy(flat: Any, to: Any, source: Any, begin: Any, number: Any) -> None:
    """Copy cells.

    Unsigned places, because signed ones cost a comparison each: negative ones count from the end.
    """
    first, from_ = np.uint64(to), np.uint64(begin)
    for place in range(number):
        flat[first + np.uint64(place)] = source[from_ + np.uint64(place)]


@inlined
def mark_obstacles(
    flat: Any,
    size: Any,
    state: Any,
    clock: Any,
    begin: Any,
    end: Any,
    corner: Any,
    sides: Any,
    view: Any,
    spare: Any,
) -> None:
    """Mark the obstacles of a few lanes in what shows `sides` cells across and down from `corner`.

    Where each belongs is found for all lanes first, by vector instructions. One that is not shown
    changes nothing: no branch depends on where it is, which would be mispredicted too often.
    """
    (left, top), (wide, high), every = corner, sides, view[EVERY]
    spot, shown, visible = spare[0], spare[1], spare[2]
    hidden, area, ticks = view[HIDE_HEADINGS], np.int32(wide * high), clock[begin:end]
    wide, high = np.int32(wide), np.int32(high)
    for i in range(end - begin):
        visible[i] = 1 if every == 1 else np.int32(ticks[i] % every == 0)
    for first in range(FIRST, state.shape[0], 4):
        ox, oy = state[first, begin:end], state[first + 1, begin:end]
        hx, hy = state[first + 2, begin:end], state[first + 3, begin:end]
        for i in range(end - begin):
            x = np.int32(np.int32(ox[i]) - np.int32(at(left, i)))
            y = np.int32(np.int32(oy[i]) - np.int32(at(top, i)))
            inside = np.int32((x >= 0) & (x < wide) & (y >= 0) & (y < high))
            shown[i] = inside & visible[i]
            spot[i] = np.int32(plane_of(hx[i], hy[i], hidden) * area + y * wide + x) * inside
        lane = np.uint64(begin * size)
        for i in range(end - begin):
            flat[lane + np.uint64(spot[i])] |= np.uint8(shown[i])
            lane += np.uint64(size)


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
    """Write `planes`: the whole map, on `planes_ground`."""
    lanes, high, wide = out.shape[0], out.shape[2], out.shape[3]
    area, size, spare = high * wide, out.shape[1] * high * wide, np.empty((3, NEAR), np.int32)
    flat = piece(out, 0, (out.size,), np.uint8)
    still = piece(ground, 0, (ground.size,), np.uint8)
    corner = (np.int16(0), np.int16(0))
    for begin in range(0, lanes, NEAR):
        end = min(begin + NEAR, lanes)
        ax, ay, level = state[X, begin:end], state[Y, begin:end], level_of[begin:end]
        for i in range(end - begin):
            lane = (begin + i) * size
            copy(flat, lane, still, level[i] * size, size)
            flat[np.uint64(lane + area + ay[i] * wide + ax[i])] = 1
        mark_obstacles(flat, size, state, clock, begin, end, corner, (wide, high), view, spare)
    write_signals(flat, size, state, clock, area, view)


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
    radius, side = np.int64(view[RADIUS]), 2 * np.int64(view[RADIUS]) + 1
    lanes, area, size = out.shape[0], side * side, out.shape[1] * side * side
    columns, high, wide = ground.shape[1], ground.shape[3], ground.shape[4]
    flat = piece(out, 0, (out.size,), np.uint8)
    still = piece(ground, 0, (ground.size,), np.uint8)
    spare = np.empty((5, NEAR), np.int32)
    left, top = spare[3], spare[4]
    is_cut = wide == side
    runs, length, kinds = 1 if is_cut else side, area if is_cut else side, KINDS
    if view[HIDE_HEADINGS]:
        kinds = 1
    for begin in range(0, lanes, NEAR):
        end = min(begin + NEAR, lanes)
        ax, ay, level = state[X, begin:end], state[Y, begin:end], level_of[begin:end]
        for i in range(end - begin):
            left[i], top[i] = ax[i] - radius, ay[i] - radius
            column, lane = ax[i] if is_cut else 0, (begin + i) * size
            place = (level[i] * columns + column) * FIXED * high + ay[i]
            source = place * wide + ax[i] - column
            for number in range(FIXED):
                for run in range(runs):
                    to = lane + number * area + run * side
                    copy(flat, to, still, source + (number * high + run) * wide, length)
            fill(flat, lane + FIXED * area, kinds * area, 0)
        corner = (left, top)
        mark_obstacles(flat, size, state, clock, begin, end, corner, (side, side), view, spare)
    write_signals(flat, size, state, clock, area, view)


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
    """What never moves in `window`: outside, walls and goal, with r cells round the map.

    Returns:
        (L, W, 3, H + 2 r, 2 r + 1), for every column of the map what is seen from there, so that a
        window is three pieces; or where that would be too large (L, 1, 3, H + 2 r, W + 2 r).
    """
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
    side = 2 * r + 1
    if number * width * FIXED * (height + 2 * r) * side > LARGEST_CUT:
        return ground[:, None]
    cut = np.lib.stride_tricks.sliding_window_view(ground, side, axis=3)  # (L, 3, H + 2 r, W, side)
    return np.ascontiguousarray(cut.transpose(0, 3, 1, 2, 4))


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
