"""Observations of numbers, as kernels over lanes, with their bounds (tables: docs/world.md).

`features` (float32, 4 K + 3 numbers for K obstacles) is Markov on a fixed level; `glimpses` are
features of which something is hidden; `book` is the course's original without the move phase.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sidestep.envs.rules.grid import Cell, Grid
from sidestep.envs.rules.memory import piece
from sidestep.envs.rules.tick import (
    BLOCK,
    FIRST,
    GOAL_X,
    GOAL_Y,
    HEIGHT,
    PERIOD,
    PHASE,
    WIDTH,
    X,
    Y,
    at,
    compiled,
    i16,
    inlined,
)

from .view import EVERY, HIDE_HEADINGS, HIDE_PHASE, View


@compiled
def features_of_one(state: Any, level_of: Any, sites: Any, rules: Any, out: Any) -> None:
    """Write `features` where all lanes share one level, whose numbers are then read once."""
    lanes, longest = out.shape[0], np.float32(max(rules[PERIOD] - 1, 1))
    columns = np.empty((4, min(lanes, BLOCK)), np.float32)
    across = np.float32(max(sites[0, WIDTH] - 1, 1))
    down = np.float32(max(sites[0, HEIGHT] - 1, 1))
    goal = (i16(sites[0, GOAL_X]), i16(sites[0, GOAL_Y]))
    for begin in range(0, lanes, BLOCK):
        end = min(begin + BLOCK, lanes)
        write_features(state, begin, end, across, down, goal, longest, columns, out)


@compiled
def features(state: Any, level_of: Any, sites: Any, rules: Any, out: Any) -> None:
    """Write `features`: per obstacle dx, dy over the longest way, hx, hy; goal dx, dy; phase."""
    lanes, longest = out.shape[0], np.float32(max(rules[PERIOD] - 1, 1))
    columns = np.empty((4, min(lanes, BLOCK)), np.float32)
    side, goals = np.empty((2, BLOCK), np.float32), np.empty((2, BLOCK), np.int16)
    for begin in range(0, lanes, BLOCK):
        end = min(begin + BLOCK, lanes)
        for i in range(end - begin):
            level = level_of[begin + i]
            side[0, i] = max(sites[level, WIDTH] - 1, 1)
            side[1, i] = max(sites[level, HEIGHT] - 1, 1)
            goals[0, i], goals[1, i] = sites[level, GOAL_X], sites[level, GOAL_Y]
        goal = (goals[0], goals[1])
        write_features(state, begin, end, side[0], side[1], goal, longest, columns, out)


@inlined
def write_features(
    state: Any,
    begin: Any,
    end: Any,
    across: Any,
    down: Any,
    goal: Any,
    longest: Any,
    columns: Any,
    out: Any,
) -> None:
    """`features` of a block of lanes; `across`, `down` and `goal` for all lanes or for each.

    Four numbers of all lanes are made in `columns`, by vector instructions, and then put into the
    lanes' rows, as integers, of which a processor stores two in the time of one float.
    """
    obstacles, (goal_x, goal_y) = (state.shape[0] - FIRST) // 4, goal
    x, y, phase = state[X, begin:end], state[Y, begin:end], state[PHASE, begin:end]
    a, b, c, d = columns[0], columns[1], columns[2], columns[3]
    bits, size = columns.view(np.uint32), np.uint64(out.shape[1])
    flat, place = piece(out, 0, (out.size,), np.uint32), np.uint64(begin * out.shape[1])
    for k in range(obstacles):
        first = FIRST + 4 * k
        ox, oy = state[first, begin:end], state[first + 1, begin:end]
        hx, hy = state[first + 2, begin:end], state[first + 3, begin:end]
        for i in range(end - begin):
            a[i] = np.float32(i16(ox[i] - x[i])) / at(across, i)
            b[i] = np.float32(i16(oy[i] - y[i])) / at(down, i)
            c[i], d[i] = hx[i], hy[i]
        put(bits, end - begin, place, flat, size)
        place += np.uint64(4)
    for i in range(end - begin):
        a[i] = np.float32(i16(at(goal_x, i) - x[i])) / at(across, i)
        b[i] = np.float32(i16(at(goal_y, i) - y[i])) / at(down, i)
        c[i] = np.float32(phase[i]) / longest
    a, b, c = bits[0], bits[1], bits[2]
    for i in range(end - begin):
        flat[place], flat[place + np.uint64(1)], flat[place + np.uint64(2)] = a[i], b[i], c[i]
        place += size


@inlined
def put(bits: Any, lanes: Any, place: Any, flat: Any, size: Any) -> None:
    """Put the columns of `bits` into rows of `size` numbers, from the number at `place` on."""
    a, b, c, d = bits[0], bits[1], bits[2], bits[3]
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    for i in range(lanes):
        flat[place], flat[place + one] = a[i], b[i]
        flat[place + two], flat[place + three] = c[i], d[i]
        place += size


@compiled
def book(state: Any, level_of: Any, sites: Any, rules: Any, out: Any) -> None:
    """Write `book`: per obstacle dx, dy, -1, direction (-1 right or down); goal dx, dy, +1."""
    lanes, obstacles = out.shape[0], (state.shape[0] - FIRST) // 4
    for begin in range(0, lanes, BLOCK):
        end = min(begin + BLOCK, lanes)
        x, y, level = state[X, begin:end], state[Y, begin:end], level_of[begin:end]
        for k in range(obstacles):
            first = FIRST + 4 * k
            ox, oy = state[first, begin:end], state[first + 1, begin:end]
            hx, hy = state[first + 2, begin:end], state[first + 3, begin:end]
            rows = out[begin:end, 4 * k : 4 * k + 4]
            for i in range(end - begin):
                row = rows[i]
                row[0], row[1] = i16(ox[i] - x[i]), i16(oy[i] - y[i])
                row[2], row[3] = np.float32(-1), -i16(hx[i] + hy[i])
        rows = out[begin:end, 4 * obstacles :]
        for i in range(end - begin):
            row, n = rows[i], level[i]
            row[0], row[1] = i16(sites[n, GOAL_X] - x[i]), i16(sites[n, GOAL_Y] - y[i])
            row[2] = np.float32(1)


@compiled
def glimpses(
    state: Any,
    clock: Any,
    level_of: Any,
    sites: Any,
    ground: Any,
    rules: Any,
    view: Any,
    out: Any,
) -> None:
    """Write `features` with 0 for what is hidden; with `visible_every`, shown and age behind."""
    if sites.shape[0] == 1:
        features_of_one(state, level_of, sites, rules, out)
    else:
        features(state, level_of, sites, rules, out)
    obstacles, every = (state.shape[0] - FIRST) // 4, view[EVERY]
    oldest = np.float32(max(every - 1, 1))
    for i in range(out.shape[0]):
        row, age = out[i], clock[i] % every
        for k in range(obstacles):
            if age != 0:
                row[4 * k], row[4 * k + 1] = 0, 0
            if age != 0 or view[HIDE_HEADINGS]:
                row[4 * k + 2], row[4 * k + 3] = 0, 0
        if view[HIDE_PHASE]:
            row[4 * obstacles + 2] = 0
        if every > 1:
            row[4 * obstacles + 3] = age == 0
            row[4 * obstacles + 4] = np.float32(age) / oldest


def no_ground(levels: Sequence[Grid], view: View) -> NDArray[np.uint8]:
    """Vectors show nothing that never moves."""
    return np.zeros(0, dtype=np.uint8)


Bounds = list[tuple[float, float]]


def _offsets(level: Grid) -> Bounds:
    """Range of every obstacle's (dx, dy, hx, hy), then of the goal's (dx, dy), in cells."""
    x0, y0, x1, y1 = level.extent(level.start)
    bounds: Bounds = []
    for obstacle in level.obstacles:
        left, top, right, bottom = level.track(obstacle)
        if obstacle.is_wanderer:
            left, top, right, bottom = level.extent(Cell(obstacle.x, obstacle.y))
        bounds += [(left - x1, right - x0), (top - y1, bottom - y0)]
        bounds += [(-abs(heading), abs(heading)) for heading in obstacle.heading]
    goal = level.goal
    return [*bounds, (goal.x - x1, goal.x - x0), (goal.y - y1, goal.y - y0)]


def _box(bounds: Sequence[Bounds]) -> spaces.Box:
    """The Box round the bounds of every level; [-1, 1] where a number never changes.

    Gymnasium's checkers and rescaling wrappers refuse a Box that is flat in some dimension.
    """
    stacked = np.array(bounds, dtype=np.float32)  # (levels, numbers, 2)
    low, high = stacked[..., 0].min(axis=0), stacked[..., 1].max(axis=0)
    flat = low == high
    return spaces.Box(np.where(flat, -1, low), np.where(flat, 1, high), dtype=np.float32)


def features_space(levels: Sequence[Grid], view: View) -> spaces.Box:
    """The Box of `features`, or of `glimpses` where something is hidden."""
    pages = []
    for level in levels:
        across, down = max(level.width - 1, 1), max(level.height - 1, 1)
        *obstacles, goal_x, goal_y = _offsets(level)
        divisors = [across, down, 1, 1] * len(level.obstacles)
        scaled = [(a / d, b / d) for (a, b), d in zip(obstacles, divisors, strict=True)]
        if view.every > 1:  # 0 stands for what is not shown
            scaled = [(min(low, 0.0), max(high, 0.0)) for low, high in scaled]
        if view.hide_headings:
            scaled = [(0.0, 0.0) if n % 4 > 1 else pair for n, pair in enumerate(scaled)]
        scaled += [(goal_x[0] / across, goal_x[1] / across), (goal_y[0] / down, goal_y[1] / down)]
        scaled += [(0.0, 1.0 if view.period > 1 and not view.hide_phase else 0.0)]
        pages.append([*scaled, *[(0.0, 1.0)] * (2 if view.every > 1 else 0)])
    return _box(pages)


def book_space(levels: Sequence[Grid], view: View) -> spaces.Box:
    """The Box of `book`."""
    del view
    pages = []
    for level in levels:
        *obstacles, goal_x, goal_y = _offsets(level)
        page: Bounds = []
        for k in range(0, len(obstacles), 4):
            page += [obstacles[k], obstacles[k + 1], (-1.0, -1.0), (-1.0, 1.0)]
        pages.append([*page, goal_x, goal_y, (1.0, 1.0)])
    return _box(pages)
