"""The earliest way to the goal without a hit, found by walking all ways at once."""

from typing import Any

import numpy as np

from sidestep.envs.rules.draws import compiled
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


@compiled
def arrival(state: Any, site: Any, track: Any, wall: Any, period: Any, ticks: Any) -> int:
    """The tick at which the goal can first be reached without a hit; wanderers do not count.

    Args:
        state: (rows,) of one lane; changed.
        site: (6,) of its level.
        track: (K, 9) of its level.
        wall: (H, W) bool of its level.
        period: obstacles move on every n-th tick.
        ticks: how far to look.

    Returns:
        A tick from 1 on, or -1 for none within `ticks`.
    """
    width, height = site[WIDTH], site[HEIGHT]
    here = np.zeros((height, width), np.bool_)
    here[state[Y], state[X]] = True
    for tick in range(1, ticks + 1):
        there = np.zeros((height, width), np.bool_)
        taken = np.zeros((height, width), np.bool_)
        entered = np.zeros((height, width, 5), np.bool_)  # by which action's move, as for the agent
        for k in range(track.shape[0]):
            if not track[k, WANDERS]:
                x, y, way = move(state, FIRST + 4 * k, track[k])
                taken[y, x] = True
                entered[y, x, way] = True
        state[PHASE] = period - 1 if state[PHASE] == 0 else state[PHASE] - 1
        for y in range(height):
            for x in range(width):
                for action in range(5 if here[y, x] else 0):
                    nx = min(max(x + (action == 2) - (action == 3), 0), width - 1)
                    ny = min(max(y + (action == 1) - (action == 0), 0), height - 1)
                    if wall[ny, nx]:
                        nx, ny = x, y
                    moved = nx != x or ny != y
                    opposite = action ^ 1  # up and down, right and left
                    swapped = moved and entered[y, x, opposite]
                    if not taken[ny, nx] and not swapped:
                        there[ny, nx] = True
        if there[site[GOAL_Y], site[GOAL_X]]:
            return tick
        here = there
    return -1


@compiled
def move(state: Any, row: Any, track: Any) -> Any:
    """Move a patrol if it is due; its cell, and the agent's action that would move like it."""
    x, y, hx, hy = state[row], state[row + 1], state[row + 2], state[row + 3]
    if state[PHASE] == 0 and (track[LEFT] != track[RIGHT] or track[TOP] != track[BOTTOM]):
        nx, ny = x + hx, y + hy
        if nx < track[LEFT] or nx > track[RIGHT] or ny < track[TOP] or ny > track[BOTTOM]:
            hx, hy = -hx, -hy
        x, y = x + hx, y + hy
        state[row], state[row + 1], state[row + 2], state[row + 3] = x, y, hx, hy
        return x, y, (hy == 1) * 1 + (hx == 1) * 2 + (hx == -1) * 3
    return x, y, 4
