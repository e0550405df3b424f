"""What the agent is shown: each observation as a kernel over lanes, with its bounds.

`features` (float32, 4 K + 3 numbers for K obstacles) is Markov on a fixed level; `book` is the
course's original, which leaves out the move phase and is not (see docs/world.md for both tables).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .kernels import (
    FIRST,
    GOAL_X,
    GOAL_Y,
    HEIGHT,
    PERIOD,
    PHASE,
    WIDTH,
    X,
    Y,
    block_end,
    compiled,
    i16,
)
from .level import Cell, Level


@compiled
def features(state: Any, level_of: Any, sites: Any, rules: Any, out: Any) -> None:
    """Write `features`: per obstacle dx, dy over the longest way, hx, hy; goal dx, dy; phase."""
    lanes, obstacles, end = out.shape[0], (state.shape[0] - FIRST) // 4, 0
    while end < lanes:
        begin, site = end, sites[level_of[end]]
        end = block_end(begin, level_of, sites.shape[0])
        x, y, phase = state[X, begin:end], state[Y, begin:end], state[PHASE, begin:end]
        across = np.float32(max(site[WIDTH] - 1, 1))
        down = np.float32(max(site[HEIGHT] - 1, 1))
        for k in range(obstacles):
            first = FIRST + 4 * k
            ox, oy = state[first, begin:end], state[first + 1, begin:end]
            hx, hy = state[first + 2, begin:end], state[first + 3, begin:end]
            rows = out[begin:end, 4 * k : 4 * k + 4]
            for i in range(end - begin):
                row = rows[i]
                row[0] = np.float32(i16(ox[i] - x[i])) / across
                row[1] = np.float32(i16(oy[i] - y[i])) / down
                row[2], row[3] = hx[i], hy[i]
        goal_x, goal_y, last = i16(site[GOAL_X]), i16(site[GOAL_Y]), max(rules[PERIOD] - 1, 1)
        rows, longest = out[begin:end, 4 * obstacles :], np.float32(last)
        for i in range(end - begin):
            row = rows[i]
            row[0] = np.float32(i16(goal_x - x[i])) / across
            row[1] = np.float32(i16(goal_y - y[i])) / down
            row[2] = np.float32(phase[i]) / longest


@compiled
def book(state: Any, level_of: Any, sites: Any, rules: Any, out: Any) -> None:
    """Write `book`: per obstacle dx, dy, -1, direction (-1 right or down); goal dx, dy, +1."""
    lanes, obstacles, end = out.shape[0], (state.shape[0] - FIRST) // 4, 0
    while end < lanes:
        begin, site = end, sites[level_of[end]]
        end = block_end(begin, level_of, sites.shape[0])
        x, y = state[X, begin:end], state[Y, begin:end]
        for k in range(obstacles):
            first = FIRST + 4 * k
            ox, oy = state[first, begin:end], state[first + 1, begin:end]
            hx, hy = state[first + 2, begin:end], state[first + 3, begin:end]
            rows = out[begin:end, 4 * k : 4 * k + 4]
            for i in range(end - begin):
                row = rows[i]
                row[0], row[1] = i16(ox[i] - x[i]), i16(oy[i] - y[i])
                row[2], row[3] = np.float32(-1), -i16(hx[i] + hy[i])
        goal_x, goal_y = i16(site[GOAL_X]), i16(site[GOAL_Y])
        rows = out[begin:end, 4 * obstacles :]
        for i in range(end - begin):
            row = rows[i]
            row[0], row[1], row[2] = i16(goal_x - x[i]), i16(goal_y - y[i]), np.float32(1)


class Observation(NamedTuple):
    """An observation: its kernel, and the Box of everything it can show on some levels."""

    write: Callable[..., None]
    space: Callable[[Sequence[Level], int], spaces.Box]


Bounds = list[tuple[float, float]]


def _offsets(level: Level) -> Bounds:
    """Range of every obstacle's (dx, dy, hx, hy), then of the goal's (dx, dy), in cells."""
    x0, y0, x1, y1 = _extent(level, level.start)
    bounds: Bounds = []
    for obstacle in level.obstacles:
        left, top, right, bottom = level.track(obstacle)
        if obstacle.is_wanderer:
            left, top, right, bottom = _extent(level, Cell(obstacle.x, obstacle.y))
        bounds += [(left - x1, right - x0), (top - y1, bottom - y0)]
        bounds += [(-abs(heading), abs(heading)) for heading in obstacle.heading]
    goal = level.goal
    return [*bounds, (goal.x - x1, goal.x - x0), (goal.y - y1, goal.y - y0)]


def _extent(level: Level, place: Cell) -> tuple[int, int, int, int]:
    """The box round every cell that a walker from `place` can reach."""
    xs, ys = zip(*level.reachable(place), strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _box(bounds: Sequence[Bounds]) -> spaces.Box:
    """The Box round the bounds of every level; [-1, 1] where a number never changes.

    Gymnasium's checkers and rescaling wrappers refuse a Box that is flat in some dimension.
    """
    stacked = np.array(bounds, dtype=np.float32)  # (levels, numbers, 2)
    low, high = stacked[..., 0].min(axis=0), stacked[..., 1].max(axis=0)
    flat = low == high
    return spaces.Box(np.where(flat, -1, low), np.where(flat, 1, high), dtype=np.float32)


def _features_space(levels: Sequence[Level], period: int) -> spaces.Box:
    pages = []
    for level in levels:
        across, down = max(level.width - 1, 1), max(level.height - 1, 1)
        *obstacles, goal_x, goal_y = _offsets(level)
        divisors = [across, down, 1, 1] * len(level.obstacles)
        scaled = [(a / d, b / d) for (a, b), d in zip(obstacles, divisors, strict=True)]
        scaled += [(goal_x[0] / across, goal_x[1] / across), (goal_y[0] / down, goal_y[1] / down)]
        pages.append([*scaled, (0.0, 1.0 if period > 1 else 0.0)])
    return _box(pages)


def _book_space(levels: Sequence[Level], period: int) -> spaces.Box:
    del period
    pages = []
    for level in levels:
        *obstacles, goal_x, goal_y = _offsets(level)
        page: Bounds = []
        for k in range(0, len(obstacles), 4):
            page += [obstacles[k], obstacles[k + 1], (-1.0, -1.0), (-1.0, 1.0)]
        pages.append([*page, goal_x, goal_y, (1.0, 1.0)])
    return _box(pages)


OBSERVATIONS = {
    "features": Observation(features, _features_space),
    "book": Observation(book, _book_space),
}
"""Every value of the keyword `observation`."""


def empty(space: spaces.Box, lanes: int) -> NDArray[Any]:
    """An array for the observations of `lanes` lanes, (lanes, *space.shape)."""
    return np.empty((lanes, *space.shape), dtype=space.dtype)
