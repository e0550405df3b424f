"""Random grids that can be solved, by seed."""

import random

import numpy as np

from sidestep.envs.rules import tick as kernels
from sidestep.envs.rules.arrays import tables
from sidestep.envs.rules.grid import FLOOR, GOAL, HEADINGS, START, WALL, WANDERER, Cell, Grid

from .earliest_way import arrival

PERIODS = (1, 2)
"""Obstacle periods under which a random level is checked."""
STARTS = 16
"""Random starts, for each period, from which a random level is checked."""
WITHIN = 100
"""Ticks in which the goal must be within reach."""


def random_grid(
    seed: int,
    width: int = 12,
    height: int = 12,
    wall_density: float = 0.15,
    patrols: int = 16,
    wanderers: int = 0,
    tries: int = 200,
) -> Grid:
    """A random grid that can be solved; see `Level.random`."""
    check_kind("random level: ", width, height, patrols, wanderers, wall_density)
    for name, value, least in (("seed", seed, 0), ("tries", tries, 1)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            kind = "positive" if least else "non-negative"
            raise ValueError(f"random level: {name}: expected a {kind} integer, got {value!r}")
    rng = random.Random(seed)  # its random() is the same in every version of Python
    for _ in range(tries):
        level = _attempt(rng, width, height, wall_density, patrols, wanderers)
        if level is not None and is_solvable(level):
            return level
    raise ValueError(
        f"random level: found none that can be solved in {tries} tries with {width}x{height} "
        f"cells, wall_density={wall_density:g}, patrols={patrols}, wanderers={wanderers}; "
        "expected fewer walls or obstacles, or more room"
    )


def check_kind(
    of: str, width: int, height: int, patrols: int, wanderers: int, wall_density: float
) -> None:
    """Raise ValueError, which begins with `of`, for what no level can have."""
    check_integer(f"{of}width", width, 2, 100)
    check_integer(f"{of}height", height, 2, 100)
    check_integer(f"{of}patrols", patrols, 0, 1000)
    check_integer(f"{of}wanderers", wanderers, 0, 1000)
    number = isinstance(wall_density, int | float) and not isinstance(wall_density, bool)
    if not number or not 0 <= wall_density < 1:
        raise ValueError(
            f"{of}wall_density: expected a number from 0 to below 1, got {wall_density!r}"
        )


def check_integer(name: str, value: int, least: int, most: int) -> None:
    """Raise ValueError for what is no integer in least..most."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name}: expected an integer from {least} to {most}, got {value!r}")


def _attempt(
    rng: random.Random, width: int, height: int, density: float, patrols: int, wanderers: int
) -> Grid | None:
    """A map with all its obstacles; None where walls cut off the goal or leave no room."""
    cells = [[FLOOR] * width for _ in range(height)]
    start = Cell(_below(rng, width), _below(rng, height - 1))
    goal = Cell(_below(rng, width), height - 1)
    cells[start.y][start.x], cells[goal.y][goal.x] = START, GOAL
    free = [(x, y) for y in range(height) for x in range(width) if cells[y][x] == FLOOR]
    _shuffle(rng, free)
    walls = round(density * width * height)
    for x, y in free[:walls]:
        cells[y][x] = WALL
    try:
        level = Grid(tuple("".join(row) for row in cells))
    except ValueError:  # no way to the goal
        return None
    room = level.reachable(level.start)
    free = [place for place in free[walls:] if place in room]
    for x, y in free:
        if patrols == 0:
            break
        character = "<>^v"[_below(rng, 4)]
        if _is_patrol(level, Cell(x, y), character, {start, goal}):
            cells[y][x], patrols = character, patrols - 1
    for x, y in free:
        if wanderers and cells[y][x] == FLOOR and abs(x - start.x) + abs(y - start.y) > 2:
            cells[y][x], wanderers = WANDERER, wanderers - 1
    if patrols or wanderers:
        return None
    return Grid(tuple("".join(row) for row in cells))


def _is_patrol(level: Grid, place: Cell, character: str, avoid: set[Cell]) -> bool:
    """Whether a patrol has three cells or more to walk there, none of `avoid` among them."""
    dx, dy = HEADINGS[character]
    track = {place}
    for sign in (1, -1):
        x, y = place.x + sign * dx, place.y + sign * dy
        while not level.is_wall(x, y):
            track.add(Cell(x, y))
            x, y = x + sign * dx, y + sign * dy
    return len(track) > 2 and not track & avoid


def is_solvable(level: Grid) -> bool:
    """Whether a way without a hit leads to the goal within 100 ticks, wanderers left out.

    Looked for from the map's own start and from 16 random ones, for obstacle periods 1 and 2.
    """
    sites, tracks, walls = tables((level,))
    for period in PERIODS:
        for random_starts, lanes in ((0, 1), (1, STARTS)):
            state = np.zeros((kernels.FIRST + 4 * tracks.shape[1], lanes), dtype=np.int16)
            streams = np.zeros((3, lanes), dtype=np.uint64)
            streams[kernels.SEED] = np.arange(lanes)
            clock, level_of = np.zeros(lanes, np.int32), np.zeros(lanes, np.int32)
            rules = np.array([period, random_starts, 1, 1, 1, WITHIN], dtype=np.int32)
            chosen, wanted = np.ones(lanes, np.bool_), np.full(lanes, -1)
            kernels.restart(chosen, wanted, state, clock, streams, level_of, sites, tracks, rules)
            for lane in range(lanes):
                if (
                    arrival(state[:, lane].copy(), sites[0], tracks[0], walls[0], period, WITHIN)
                    < 0
                ):
                    return False
    return True


def _below(rng: random.Random, bound: int) -> int:
    return int(rng.random() * bound)


def _shuffle(rng: random.Random, items: list[tuple[int, int]]) -> None:
    """Fisher and Yates."""
    for last in range(len(items) - 1, 0, -1):
        other = _below(rng, last + 1)
        items[last], items[other] = items[other], items[last]
