"""The earliest way to the goal without a hit, found by walking all ways at once.

Cells are bits, numbered in reading order, 64 to a word: a step of all ways in one direction is a
shift. Two words of nothing stand before the map's and two behind, so that every shift may look
there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidestep.envs.rules.draws import compiled, inlined
from sidestep.envs.rules.tick import (
    BOTTOM,
    FIRST,
    GOAL_X,
    GOAL_Y,
    HEIGHT,
    LEFT,
    PHASE,
    RIGHT,
    TOP,
    WANDERS,
    WIDTH,
    X,
    Y,
)

FREE, NOT_LEFT, NOT_RIGHT, HERE, THERE, TAKEN, CAME = range(7)
"""Rows of `bits`: cells without a wall, not in the first column, not in the last; where ways have
led, before the tick and after it; where patrols are; four rows, where they came to in this tick by
going up, down, right and left."""
BIT_ROWS, MARGIN = CAME + 4, 2
"""How many rows, and the words of nothing at each of their ends."""
AT, STEP, LOW, HIGH, ACROSS = range(5)
"""Rows of `patrols`: the cell, what the next one is more, the first and the last one of the track,
and 1 where that lies in a row; a wanderer's first cell is -1."""
PATROL_ROWS = ACROSS + 1


def search_arrays(
    height: int, width: int, obstacles: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The arrays that a search writes to: `bits` and `patrols`."""
    words = (height * width + 63) // 64 + 2 * MARGIN
    bits = np.zeros((BIT_ROWS, words), dtype=np.uint64)
    return bits, np.zeros((PATROL_ROWS, obstacles), dtype=np.int64)


@compiled
def arrivals(
    state: Any,
    level_of: Any,
    tables: Any,
    period: Any,
    ticks: Any,
    bits: Any,
    patrols: Any,
    out: Any,
) -> None:
    """Write the tick at which the goal can first be reached without a hit; wanderers do not count.

    Args:
        state: (rows, N) of lanes.
        level_of: (N,) the number of each lane's level, those of one level side by side.
        tables: sites (L, 6), tracks (L, K, 9) and walls (L, H, W), of 127 columns at most.
        period: obstacles move on every n-th tick.
        ticks: how far to look.
        bits: scratch.
        patrols: scratch.
        out: (N,) int64, written: a tick from 1 on, or -1 for none within `ticks`; after a -1 also
            for the other lanes of that level, which are not looked at.
    """
    sites, tracks, walls = tables
    for i in range(out.shape[0]):
        level, same = level_of[i], i > 0 and level_of[i - 1] == level_of[i]
        if same and out[i - 1] < 0:
            out[i] = -1
            continue
        site, width = sites[level], np.int64(sites[level, WIDTH])
        if not same:
            prepare(bits, site, walls[level])
        place(bits, patrols, state, i, tracks[level], width)
        goal = np.int64(site[GOAL_Y]) * width + site[GOAL_X]
        out[i] = earliest(np.int64(state[PHASE, i]), goal, width, period, ticks, bits, patrols)


@compiled
def earliest(
    phase: Any, goal: Any, width: Any, period: Any, ticks: Any, bits: Any, patrols: Any
) -> int:
    """The tick at which a lane's agent can be in the cell `goal`, or -1; `bits` are prepared."""
    for tick in range(1, ticks + 1):
        for row in range(CAME, BIT_ROWS):
            for k in range(bits.shape[1]):
                bits[row, k] = 0
        if phase == 0:
            move(bits, patrols)
        phase = period - 1 if phase == 0 else phase - 1
        some = step(bits, width)
        if bits[HERE, MARGIN + (goal >> 6)] & (np.uint64(1) << np.uint64(goal & 63)):
            return tick
        if some == 0:
            return -1
    return -1


@inlined
def prepare(bits: Any, site: Any, wall: Any) -> None:
    """Write what of a level does not move, and nothing to the other rows."""
    height, width = np.int64(site[HEIGHT]), np.int64(site[WIDTH])
    for row in range(BIT_ROWS):
        for k in range(bits.shape[1]):
            bits[row, k] = 0
    for y in range(height):
        for x in range(width):
            cell = y * width + x
            bit = np.uint64(1) << np.uint64(cell & 63)
            bits[FREE, MARGIN + (cell >> 6)] |= bit * np.uint64(not wall[y, x])
            bits[NOT_LEFT, MARGIN + (cell >> 6)] |= bit * np.uint64(x > 0)
            bits[NOT_RIGHT, MARGIN + (cell >> 6)] |= bit * np.uint64(x < width - 1)


@inlined
def place(bits: Any, patrols: Any, state: Any, lane: Any, track: Any, width: Any) -> None:
    """Write where a lane's agent and patrols are, and whither these go."""
    for k in range(bits.shape[1]):
        bits[HERE, k] = bits[TAKEN, k] = 0
    mark(bits, HERE, np.int64(state[Y, lane]) * width + state[X, lane])
    for k in range(track.shape[0]):
        row = FIRST + 4 * k
        patrols[AT, k] = state[row + 1, lane] * width + state[row, lane]
        patrols[STEP, k] = state[row + 3, lane] * width + state[row + 2, lane]
        patrols[LOW, k] = track[k, TOP] * width + track[k, LEFT]
        patrols[HIGH, k] = track[k, BOTTOM] * width + track[k, RIGHT]
        patrols[ACROSS, k] = track[k, LEFT] != track[k, RIGHT]
        if track[k, WANDERS]:
            patrols[LOW, k] = -1
        else:
            mark(bits, TAKEN, patrols[AT, k])


@inlined
def move(bits: Any, patrols: Any) -> None:
    """Move the patrols: mark the cells that they take, and those to which they came, by way."""
    for k in range(MARGIN, bits.shape[1] - MARGIN):
        bits[TAKEN, k] = 0
    for k in range(patrols.shape[1]):
        at, by, low, high = patrols[AT, k], patrols[STEP, k], patrols[LOW, k], patrols[HIGH, k]
        if low >= 0:
            if low != high:
                by = -by if at + by < low or at + by > high else by
                at += by
                patrols[AT, k], patrols[STEP, k] = at, by
                way = 2 + (by < 0) if patrols[ACROSS, k] else 0 + (by > 0)
                mark(bits, CAME + way, at)
            mark(bits, TAKEN, at)


@compiled
def step(bits: Any, width: Any) -> Any:
    """Let all ways go one cell on, where that is no hit.

    Returns:
        0 where none can.
    """
    far, part, one, most = width >> 6, np.uint64(width & 63), np.uint64(1), np.uint64(63)
    rest, some, last = most - part, np.uint64(0), bits.shape[1] - MARGIN
    here, there = bits[HERE], bits[THERE]
    came_up, came_down = bits[CAME], bits[CAME + 1]  # up is no way for who meets one coming down
    came_right, came_left = bits[CAME + 2], bits[CAME + 3]
    for k in range(MARGIN, last):
        n, m = k + far, k + far + 1
        up = (here[n] & ~came_down[n]) >> part
        up |= ((here[m] & ~came_down[m]) << one) << rest
        n, m = k - far, k - far - 1
        down = (here[n] & ~came_up[n]) << part
        down |= ((here[m] & ~came_up[m]) >> one) >> rest
        right = (here[k] & ~came_left[k] & bits[NOT_RIGHT, k]) << one
        right |= (here[k - 1] & ~came_left[k - 1] & bits[NOT_RIGHT, k - 1]) >> most
        left = (here[k] & ~came_right[k] & bits[NOT_LEFT, k]) >> one
        left |= (here[k + 1] & ~came_right[k + 1] & bits[NOT_LEFT, k + 1]) << most
        ways = here[k] | ((up | down | right | left) & bits[FREE, k])
        there[k] = ways & ~bits[TAKEN, k]
        some |= there[k]
    for k in range(MARGIN, last):
        here[k] = there[k]
    return some


@inlined
def mark(bits: Any, row: Any, cell: Any) -> None:
    """Set the bit of a cell."""
    bits[row, MARGIN + (cell >> 6)] |= np.uint64(1) << np.uint64(cell & 63)


def arrival(
    state: NDArray[np.int16],
    site: NDArray[np.int32],
    track: NDArray[np.int32],
    wall: NDArray[np.bool_],
    period: int,
    ticks: int,
) -> int:
    """`arrivals` of one lane: its state (rows,), and its level's row of each table."""
    lane, tables = np.ascontiguousarray(state[:, None]), (site[None], track[None], wall[None])
    level_of, out = np.zeros(1, np.int32), np.zeros(1, np.int64)
    arrays = search_arrays(wall.shape[0], wall.shape[1], len(track))
    arrivals(lane, level_of, tables, period, ticks, *arrays, out)
    return int(out[0])
