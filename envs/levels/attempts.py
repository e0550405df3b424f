"""Attempts at a random map, in compiled code."""

from typing import Any

import numpy as np

from sidestep.envs.rules.compiling import compiled, inlined
from sidestep.envs.rules.grid import FLOOR, GOAL, START, WALL, WANDERER

from .mersenne import SIZE, begin, below

FLOOR_CODE, WALL_CODE, WANDERER_CODE = ord(FLOOR), ord(WALL), ord(WANDERER)
START_CODE, GOAL_CODE = ord(START), ord(GOAL)
PATROL_CODES = (ord("<"), ord(">"), ord("^"), ord("v"))
FRESH = SIZE + 1
"""Where `random` counts a map's attempts, after the generator's state."""


@compiled
def attempts(
    waiting: Any,
    random: Any,
    words: Any,
    used: Any,
    counts: Any,
    tries: Any,
    maps: Any,
    scratch: Any,
) -> None:
    """Draw every waiting map anew, until all its obstacles have room.

    Args:
        waiting: (L,) int64, the numbers of the maps to draw; -1 is written where `tries` are over.
        random: (L, 626) int64, each map's generator, and its attempts; 0 at first.
        words: (L, W) int64, each map's seed.
        used: (L,) how many of its words count.
        counts: (3,) int64: walls, patrols and wanderers in each map.
        tries: most attempts at a map.
        maps: (L, H, W) uint8, written: ASCII characters.
        scratch: (3, H * W) int64.
    """
    for place in range(waiting.shape[0]):
        number = waiting[place]
        state, cells = random[number], maps[number]
        if state[FRESH] == 0:
            begin(state, words[number], used[number])
        found = False
        while not found and state[FRESH] < tries:
            state[FRESH] += 1
            found = attempt(state, counts, cells, scratch)
        if not found:
            waiting[place] = -1


@compiled
def attempt(state: Any, counts: Any, cells: Any, scratch: Any) -> bool:
    """Draw a map with all its obstacles; False where walls cut off the goal or leave no room."""
    height, width = cells.shape
    walls, patrols, wanderers = counts
    start_x, start_y = below(state, width), below(state, height - 1)
    goal_x, goal_y = below(state, width), height - 1
    free, room = scratch[0], scratch[1]
    number = lay(state, cells, walls, free, (start_x, start_y, goal_x, goal_y))
    explore(cells, start_x, start_y, room, scratch[2])
    if not room[goal_y * width + goal_x]:
        return False
    for i in range(walls, number):
        y, x = free[i] // width, free[i] % width
        if patrols > 0 and room[free[i]]:
            heading = below(state, np.int64(4))  # else compiled once more, for the literal
            if is_patrol(cells, x, y, heading < 2):
                cells[y, x], patrols = PATROL_CODES[heading], patrols - 1
    for i in range(walls, number):
        y, x = free[i] // width, free[i] % width
        far = abs(x - start_x) + abs(y - start_y) > 2
        if wanderers > 0 and far and room[free[i]] and cells[y, x] == FLOOR_CODE:
            cells[y, x], wanderers = WANDERER_CODE, wanderers - 1
    return bool(patrols + wanderers == 0)


@inlined
def lay(state: Any, cells: Any, walls: Any, free: Any, ends: Any) -> int:
    """Write floor, start, goal and walls; `free` gets the cells between, shuffled, walls first."""
    (start_x, start_y, goal_x, goal_y), number, width = ends, 0, cells.shape[1]
    for cell in range(cells.size):
        cells[cell // width, cell % width] = FLOOR_CODE
    cells[start_y, start_x], cells[goal_y, goal_x] = START_CODE, GOAL_CODE
    for cell in range(cells.size):
        if cells[cell // width, cell % width] == FLOOR_CODE:
            free[number] = cell
            number += 1
    for last in range(number - 1, 0, -1):  # Fisher and Yates
        other = below(state, last + 1)
        free[last], free[other] = free[other], free[last]
    for i in range(min(walls, number)):
        cells[free[i] // width, free[i] % width] = WALL_CODE
    return number


@inlined
def explore(cells: Any, start_x: Any, start_y: Any, room: Any, queue: Any) -> None:
    """Write 1 to `room` where a way leads from the start, else 0; obstacles do not count."""
    height, width = cells.shape
    for cell in range(height * width):
        room[cell] = 0
    queue[0], count, done = start_y * width + start_x, 1, 0
    room[queue[0]] = 1
    while done < count:
        y, x = queue[done] // width, queue[done] % width
        done += 1
        for way in range(4):
            nx, ny = x + (way == 2) - (way == 3), y + (way == 1) - (way == 0)
            if nx >= 0 and nx < width and ny >= 0 and ny < height:
                if room[ny * width + nx] == 0 and cells[ny, nx] != WALL_CODE:
                    room[ny * width + nx], queue[count] = 1, ny * width + nx
                    count += 1


@compiled
def is_patrol(cells: Any, x: Any, y: Any, across: Any) -> bool:
    """Whether a patrol has three cells or more to walk there, start and goal not among them."""
    height, width = cells.shape
    dx, dy, length = int(across), 1 - int(across), 1
    for sign in range(-1, 2, 2):
        nx, ny = x + sign * dx, y + sign * dy
        while nx >= 0 and nx < width and ny >= 0 and ny < height and cells[ny, nx] != WALL_CODE:
            if cells[ny, nx] == START_CODE or cells[ny, nx] == GOAL_CODE:
                return False
            nx, ny, length = nx + sign * dx, ny + sign * dy, length + 1
    return length > 2
