"""A world as its agents see it, in arrays: what each state shows, and where each action leads.

For policies that know only what they are shown; obstacles that patrol move whatever is done, so a
state is a start, a tick and the agent's cell.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidestep.envs.config import WorldConfig
from sidestep.envs.rules import tick as kernels
from sidestep.envs.rules.grid import Cell
from sidestep.envs.solver.tables import Unsolvable
from sidestep.envs.world import World, tables

ACTIONS = 5
MOST_ENTRIES = 2**25
"""Starts x cells x ticks x actions of the tables, about ten bytes each."""


class Observed(NamedTuple):
    """Lane s * C + c is start s with the agent on cell c; T ticks, N lanes, O observations."""

    following: NDArray[np.int32]  # (T, 5, N) lane after each action
    reward: NDArray[np.float32]  # (T, 5, N)
    over: NDArray[np.bool_]  # (T, 5, N) the episode ends with it
    reached: NDArray[np.bool_]  # (T, 5, N) at the goal
    chance: NDArray[np.float64]  # (N,) probability of the lane's start
    weight: NDArray[np.float64]  # (N,) probability of the lane itself at tick 0
    seen: NDArray[np.int32]  # (T, N) number of the observation
    shown: NDArray[Any]  # (O, D)

    @property
    def observations(self) -> int:
        """O."""
        return len(self.shown)


def observed(config: WorldConfig, limit: int | None, seeds: Sequence[int] | None) -> Observed:
    """Play every action from every cell at every tick, by the world's own rules.

    Args:
        config: one level, with patrols only.
        limit: time limit in ticks.
        seeds: the starts are the first ones of these; None: all there are.

    Raises:
        ValueError: another world, or no limit.
        Unsolvable: too many starts, cells and ticks.
    """
    level = config.map
    if limit is None or any(o.is_wanderer for o in level.obstacles):
        raise ValueError("world: expected a time limit and patrols only, without wanderers")
    cells = sorted(level.reachable(level.start), key=lambda cell: (cell.y, cell.x))
    most = MOST_ENTRIES // (len(cells) * limit * ACTIONS)
    starts, likely = _all_starts(config, most) if seeds is None else _seeded(config, seeds)
    lanes = len(starts) * len(cells)
    if len(starts) > most:
        raise _too_many(len(starts), most)
    chance = np.repeat(likely, len(cells))
    at_start = np.arange(lanes) % len(cells) == cells.index(level.start)
    shown, ways = _played(World(config, lanes, limit), limit, starts, cells)
    following, reward, over, reached = ways
    seen, different = _number(shown)
    weight = chance * at_start
    return Observed(following, reward, over, reached, chance, weight, seen, different)


def _played(
    world: World, limit: int, starts: NDArray[np.int16], cells: list[Cell]
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """What lanes show, tick by tick; `following`, `reward`, `over` and `reached` of `Observed`."""
    lanes, width = len(starts) * len(cells), world.levels[0].width
    number = np.full(world.levels[0].height * width, -1)
    places = np.array([(cell.x, cell.y) for cell in cells], dtype=np.int16)
    number[places[:, 1].astype(int) * width + places[:, 0]] = np.arange(len(cells))
    state = np.repeat(starts.T, len(cells), axis=1)  # (rows, N)
    state[kernels.X], state[kernels.Y] = np.tile(places, (len(starts), 1)).T
    first = np.arange(lanes) // len(cells) * len(cells)  # of each start's lanes
    reward, flags = np.zeros(lanes), np.zeros((kernels.FLAGS, lanes), dtype=np.bool_)
    shown, columns = [], [np.empty((limit, ACTIONS, lanes), d) for d in ("i4", "f4", "?", "?")]
    for t in range(limit):
        world.state[:], world.clock[:] = state, t
        shown.append(world.observe().reshape(lanes, -1).copy())
        for action in range(ACTIONS):
            world.state[:], world.clock[:], world.ended[:] = state, t, False
            world.advance(np.full(lanes, action), reward, flags)
            x, y = world.state[kernels.X].astype(int), world.state[kernels.Y].astype(int)
            over = flags[kernels.TERMINATED] | flags[kernels.TRUNCATED]
            ways = (first + number[y * width + x], reward, over, flags[kernels.SUCCESS])
            for column, way in zip(columns, ways, strict=True):
                column[t, action] = way
        moved = world.state.copy()  # obstacles move whatever the agent does
        moved[: kernels.Y + 1] = state[: kernels.Y + 1]
        state = moved
    return shown, columns


Starts = tuple[NDArray[np.int16], NDArray[np.float64]]
"""Different first states (S, rows), and the probability of each."""


def _too_many(got: int, most: int) -> Unsolvable:
    return Unsolvable(
        f"starts: expected at most {most:,}, got {got:,}: of all starts, cells, ticks and actions "
        f"there may be {MOST_ENTRIES:,}; pass fewer seeds, or a smaller time limit"
    )


def _seeded(config: WorldConfig, seeds: Sequence[int]) -> Starts:
    """The first starts of these seeds, as likely as they are frequent."""
    world = World(config, len(seeds), None)
    world.seed(list(seeds))
    world.restart()
    starts, counts = np.unique(world.state.T, axis=0, return_counts=True)
    return starts, counts / len(seeds)


def _all_starts(config: WorldConfig, most: int) -> Starts:
    """All starts, equally likely: each patrol on any cell of its track, with either heading."""
    one, _ = _seeded(config, [0])
    patrols = tables((config.map,))[1][0]
    if not config.random_starts or not len(patrols):
        return one, np.ones(1)
    ways = [_ways(track) for track in patrols]
    count = math.prod(map(len, ways)) * config.obstacle_period
    if count > most:
        raise _too_many(count, most)
    starts = np.repeat(one, count, axis=0)
    for start, (*chosen, phase) in zip(
        starts, itertools.product(*ways, range(config.obstacle_period)), strict=True
    ):
        start[kernels.FIRST :] = np.concatenate(chosen)
        start[kernels.PHASE] = phase
    return starts, np.full(count, 1 / count)


def _ways(track: NDArray[np.int32]) -> NDArray[np.int32]:
    """(2 L, 4) x, y and heading of a patrol on each of its L cells."""
    left, top, right, bottom = track[: kernels.BOTTOM + 1].tolist()
    heading = track[kernels.BEGIN_HX : kernels.BEGIN_HY + 1]
    steps = np.arange(right - left + bottom - top + 1)[:, None]
    cells = np.array([left, top]) + steps * abs(heading)
    return np.concatenate(
        [np.hstack([cells, np.tile(sign * heading, (len(cells), 1))]) for sign in (1, -1)]
    ).astype(np.int32)


def _number(shown: list[NDArray[Any]]) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Equal observations get equal numbers, (T, N); and the different ones, (O, D).

    Sorting keys of 64 bits takes a fifth of the time of sorting rows; that no two different rows
    share a key is then looked at.
    """
    rows = np.stack(shown)  # (T, N, D)
    random = np.random.default_rng(0)
    while True:
        factors = random.integers(2**63, size=-(-rows[0, 0].nbytes // 8), dtype=np.uint64) * 2 + 1
        keys = np.stack([_keys(row, factors) for row in rows])
        _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
        different = rows.reshape(-1, rows.shape[-1])[first]
        seen: NDArray[np.int32] = numbers.reshape(keys.shape).astype(np.int32)
        if all((different[n] == row).all() for n, row in zip(seen, rows, strict=True)):
            return seen, different


def _keys(rows: NDArray[Any], factors: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(N,) sums of the rows' words times the factors, modulo 2^64."""
    size = rows[0].nbytes
    words = np.zeros((len(rows), 8 * len(factors)), dtype=np.uint8)
    words[:, :size] = rows.view(np.uint8).reshape(len(rows), size)
    sums: NDArray[np.uint64] = words.view(np.uint64) @ factors
    return sums
