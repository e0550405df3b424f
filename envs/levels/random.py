"""Random grids that can be solved, by seed."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sidestep.envs.rules import tick as kernels
from sidestep.envs.rules.arrays import tables, tables_of
from sidestep.envs.rules.grid import Grid
from sidestep.envs.rules.memory import RULE_BYTES, lane_arrays, lane_bytes, packed, rule_arrays

from .attempts import FRESH, attempts
from .earliest_way import arrivals, search_arrays
from .mersenne import words_of

PERIODS = (1, 2)
"""Obstacle periods under which a random level is checked."""
STARTS = 16
"""Random starts, for each period, from which a random level is checked."""
WITHIN = 100
"""Ticks in which the goal must be within reach."""
CHUNK = 512
"""Maps that are drawn together, each with a generator of 5 kB."""


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
    maps = random_maps([seed], width, height, wall_density, patrols, wanderers, tries)
    return Grid.of_checked(next(rows_of(maps)))


def random_maps(
    seeds: Sequence[int],
    width: int,
    height: int,
    wall_density: float,
    patrols: int,
    wanderers: int,
    tries: int = 200,
) -> NDArray[np.uint8]:
    """Draw a map that can be solved for every seed; arguments as of `random_grid`, checked.

    Returns:
        (L, height, width), each cell the ASCII code of its character.

    Raises:
        ValueError: none was found in `tries` maps.
    """
    maps = np.empty((len(seeds), height, width), dtype=np.uint8)
    words, used = words_of(seeds)
    counts = np.array([round(wall_density * width * height), patrols, wanderers])
    for begin in range(0, len(seeds), CHUNK):
        part = slice(begin, begin + CHUNK)
        if not _draw(maps[part], words[part], used[part], counts, tries):
            raise ValueError(
                f"random level: found none that can be solved in {tries} tries with "
                f"{width}x{height} cells, wall_density={wall_density:g}, patrols={patrols}, "
                f"wanderers={wanderers}; expected fewer walls or obstacles, or more room"
            )
    return maps


def _draw(
    maps: NDArray[np.uint8],
    words: NDArray[np.int64],
    used: NDArray[np.int64],
    counts: NDArray[np.int64],
    tries: int,
) -> bool:
    """Write a map for every seed; False where `tries` are over for one of them."""
    random = np.zeros((len(maps), FRESH + 1), dtype=np.int64)
    scratch, waiting = np.empty((3, maps[0].size), dtype=np.int64), np.arange(len(maps))
    while len(waiting):
        attempts(waiting, random, words, used, counts, tries, maps, scratch)
        if waiting.min() < 0:
            return False
        waiting = waiting[~solvable(*tables_of(maps[waiting]))]
    return True


def rows_of(maps: NDArray[np.uint8]) -> Iterator[tuple[str, ...]]:
    """The text of the rows of each map."""
    number, height, width = maps.shape
    text, area = maps.tobytes().decode("ascii"), height * width
    for begin in range(0, number * area, area):
        yield tuple(text[at : at + width] for at in range(begin, begin + area, width))


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


def is_solvable(level: Grid) -> bool:
    """Whether a way without a hit leads to the goal within 100 ticks, wanderers left out.

    Looked for from the map's own start and from 16 random ones, for obstacle periods 1 and 2.
    """
    return bool(solvable(*tables((level,)))[0])


def solvable(
    sites: NDArray[np.int32], tracks: NDArray[np.int32], walls: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """`is_solvable` of the levels in tables, (L,)."""
    each, number, obstacles = STARTS + 1, len(sites), tracks.shape[1]
    lanes = number * each
    memory = np.zeros(lane_bytes(lanes, obstacles), dtype=np.uint8)
    streams, _, level_of, state, _, _ = lane_arrays(memory, lanes, obstacles)
    settings = np.zeros(RULE_BYTES, dtype=np.uint8)
    _, rules, _, sizes = rule_arrays(settings)
    table, sizes[:] = packed(sites, tracks, walls)
    level_of[:], first = np.repeat(np.arange(number), each), np.arange(lanes) % each == 0
    arrays = search_arrays(walls.shape[1], walls.shape[2], tracks.shape[1])
    good = np.ones(number, dtype=np.bool_)
    out = np.zeros(lanes, dtype=np.int64)
    for period in PERIODS:
        streams[:] = 0
        streams[kernels.SEED] = np.arange(lanes) % each - ~first  # of 0 to 15, and the map's
        for random_starts, chosen in ((0, first), (1, ~first)):
            rules[:] = period, random_starts, 1, 1, 1, WITHIN
            wanted = level_of.astype(np.int64)
            kernels.restart(chosen, wanted, memory, settings, table)
        arrivals(state, level_of, (sites, tracks, walls), period, WITHIN, *arrays, out)
        good &= out.reshape(number, each)[:, -1] > 0
    return good
