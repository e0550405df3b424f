"""Observations of cells, as kernels over lanes: `planes` shows the map, `window` what is near.

Both are one-hot, (C, H, W) uint8: planes of fixed things, of obstacles by heading, and then
planes of one value each, which say when obstacles move and when they were shown (docs/world.md).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from .kernels import FIRST, GOAL_X, GOAL_Y, HEIGHT, PHASE, WIDTH, X, Y, compiled
from .level import Level
from .view import CLOCK_BITS, EVERY, HIDE_HEADINGS, PHASE_BITS, RADIUS, View

FIXED = 3
"""Planes before those of obstacles: walls, agent, goal; of `window` outside, walls, goal."""
KINDS = 5
"""Planes of obstacles: patrols heading left, right, up, down; wanderers."""


@compiled
def plane_of(hx: Any, hy: Any, hide_headings: Any) -> Any:
    """The plane of an obstacle: left, right, up, down, wanderer; one for all when hidden."""
    still = (hx == 0) & (hy == 0)
    kind = (hx == 1) * 1 + (hy == -1) * 2 + (hy == 1) * 3 + still * 4
    return FIXED + kind * (1 - hide_headings)


@compiled
def write_signals(cells: Any, phase: Any, age: Any, view: Any) -> None:
    """Fill the last planes: the phase in binary, lowest digit first; shown; the age in binary."""
    number = FIXED + (1 if view[HIDE_HEADINGS] else KINDS)
    for digit in range(view[PHASE_BITS]):
        cells[number + digit] = (phase >> digit) & 1
    number += view[PHASE_BITS]
    if view[EVERY] > 1:
        cells[number] = age == 0
        for digit in range(view[CLOCK_BITS]):
            cells[number + 1 + digit] = (age >> digit) & 1


@compiled
def planes(
    state: Any,
    clock: Any,
    level_of: Any,
    sites: Any,
    walls: Any,
    rules: Any,
    view: Any,
    out: Any,
) -> None:
    """Write `planes`: the whole map; cells beyond a level smaller than the others are walls."""
    out[:] = 0
    for i in range(out.shape[0]):
        cells, level, age = out[i], level_of[i], clock[i] % view[EVERY]
        for y in range(out.shape[2]):
            for x in range(out.shape[3]):
                cells[0, y, x] = walls[level, y, x]
        cells[1, state[Y, i], state[X, i]] = 1
        cells[2, sites[level, GOAL_Y], sites[level, GOAL_X]] = 1
        if age == 0:
            for first in range(FIRST, state.shape[0], 4):
                hx, hy = state[first + 2, i], state[first + 3, i]
                number = plane_of(hx, hy, view[HIDE_HEADINGS])
                cells[number, state[first + 1, i], state[first, i]] = 1
        write_signals(cells, state[PHASE, i], age, view)


@compiled
def window(
    state: Any,
    clock: Any,
    level_of: Any,
    sites: Any,
    walls: Any,
    rules: Any,
    view: Any,
    out: Any,
) -> None:
    """Write `window`: the cells round the agent, which stands in the middle."""
    radius, side = view[RADIUS], 2 * view[RADIUS] + 1
    out[:] = 0
    for i in range(out.shape[0]):
        cells, level, age = out[i], level_of[i], clock[i] % view[EVERY]
        site = sites[level]
        left, top = state[X, i] - radius, state[Y, i] - radius
        for y in range(side):
            for x in range(side):
                column, row = left + x, top + y
                inside = (0 <= column < site[WIDTH]) & (0 <= row < site[HEIGHT])
                cells[0, y, x] = not inside
                cells[1, y, x] = inside and walls[level, row, column]
        x, y = site[GOAL_X] - left, site[GOAL_Y] - top
        if 0 <= x < side and 0 <= y < side:
            cells[2, y, x] = 1
        if age == 0:
            for first in range(FIRST, state.shape[0], 4):
                x, y = state[first, i] - left, state[first + 1, i] - top
                if 0 <= x < side and 0 <= y < side:
                    hx, hy = state[first + 2, i], state[first + 3, i]
                    cells[plane_of(hx, hy, view[HIDE_HEADINGS]), y, x] = 1
        write_signals(cells, state[PHASE, i], age, view)


def channels(view: View) -> int:
    """The number of planes."""
    clock = 1 + view.clock_bits if view.every > 1 else 0
    return FIXED + (1 if view.hide_headings else KINDS) + view.phase_bits + clock


def planes_space(levels: Sequence[Level], view: View) -> spaces.Box:
    """The Box of `planes`, of the size of the largest level."""
    height, width = max(level.height for level in levels), max(level.width for level in levels)
    return spaces.Box(0, 1, (channels(view), height, width), dtype=np.uint8)


def window_space(levels: Sequence[Level], view: View) -> spaces.Box:
    """The Box of `window`."""
    del levels
    side = 2 * view.radius + 1
    return spaces.Box(0, 1, (channels(view), side, side), dtype=np.uint8)
