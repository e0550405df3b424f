"""A world as the solver sees it: what the agent can decide, and what it cannot, in arrays."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidestep.envs.config import WorldConfig
from sidestep.envs.levels.level import Level
from sidestep.envs.rules import tick as kernels
from sidestep.envs.rules.grid import Cell
from sidestep.envs.world import World, tables

from .sweeps import CELL, CYCLE, PLACE, SIZE, SPAN

MOST_STARTS = 2**16
"""Starts that are enumerated; beyond, seeds must be given."""


class Starts(NamedTuple):
    """Ways in which an episode can begin, no two alike."""

    places: NDArray[np.int32]
    """(N, K + 1) of each patrol the place on its cycle, and the ticks until obstacles move."""
    weight: NDArray[np.float64]
    """(N,) how likely each is; they sum to 1."""
    is_exact: bool
    """Whether these are all starts, rather than those of some seeds."""


class Problem:
    """The decision problem of a level and its rules.

    A patrol walks to and fro on a track of L cells with a period of 2 (L - 1) moves, or 1: its
    *place* counts the moves since it stood on its first cell. At both ends, the two headings make
    one place, because both move the same way.

    Args:
        config: level and rules.
        max_ticks: time limit in ticks; None for none.
        discount: gamma in [0, 1].
    """

    def __init__(self, config: WorldConfig, max_ticks: int | None, discount: float) -> None:
        """Lay out the arrays."""
        self.config, self.max_ticks, self.discount = config, max_ticks, discount
        level = self.level = config.map
        sites, tracks, _ = tables((level,))
        self.site, self.tracks = sites[0], tracks[0]
        self.cells = _in_order(level.reachable(level.start))
        is_wanderer = self.tracks[:, kernels.WANDERS] != 0
        self.patrol_rows, self.wanderer_rows = (
            np.flatnonzero(~is_wanderer),
            np.flatnonzero(is_wanderer),
        )
        self.patrols = np.array(
            [_patrol(self.tracks[k], level.width) for k in self.patrol_rows], dtype=np.int64
        ).reshape(-1, 4)
        self.cycles = self.patrols[:, CYCLE].copy()
        self.agent = _neighbours(level, self.cells)
        self.cell_of = _index(level, self.cells)
        self._lay_out_wanderers()
        goal = level.goal.y * level.width + level.goal.x
        rules = [config.obstacle_period, config.swap_hits, config.hit_ends, goal]
        self.rules = np.array(rules, dtype=np.int64)
        rewards = [config.goal_reward, config.hit_reward, config.step_reward, discount]
        self.rewards = np.array(rewards, dtype=np.float64)

    def _lay_out_wanderers(self) -> None:
        """Each wanderer's cells, as far as walls let it go, and their neighbours."""
        level, homes = self.level, self.tracks[self.wanderer_rows]
        rooms = []
        for x, y in zip(homes[:, kernels.BEGIN_X], homes[:, kernels.BEGIN_Y], strict=True):
            rooms.append(_in_order(level.reachable(Cell(int(x), int(y)))))
        self.room_sizes = [len(room) for room in rooms]
        self.room_index = [_index(level, room) for room in rooms]
        longest = max(self.room_sizes, default=1)
        self.wanderers = np.zeros((len(rooms), longest, 6), dtype=np.int64)
        for table, room in zip(self.wanderers, rooms, strict=True):
            to = _neighbours(level, room)
            table[: len(room), :4], table[: len(room), PLACE] = to[:, :4], to[:, CELL]
            table[0, SIZE] = len(room)

    @property
    def period(self) -> int:
        """Ticks after which all patrols are where they were, whatever their starts."""
        moves = math.lcm(*self.cycles.tolist())
        return int(self.config.obstacle_period * moves) if len(self.tracks) else 1

    @property
    def layers(self) -> int:
        """Ticks that a chain's tables tell apart: up to the limit, or of one period."""
        return self.period if self.max_ticks is None else self.max_ticks

    @property
    def joint_places(self) -> int:
        """Places that all wanderers can have together."""
        return math.prod(self.room_sizes)

    @property
    def states(self) -> int:
        """Of one chain."""
        return self.layers * self.joint_places * len(self.cells)

    @property
    def draws(self) -> int:
        """Moves that all wanderers can make together."""
        return 1 << 2 * len(self.wanderer_rows)

    def model(self) -> tuple[Any, ...]:
        """What `solver_kernels` call `model`, with scratch of its own."""
        obstacles, cells = len(self.tracks), self.level.width * self.level.height
        scratch = (
            np.zeros(obstacles, dtype=np.int64),
            np.zeros((self.draws, obstacles + 1), dtype=np.int64),
            np.zeros((self.draws, cells), dtype=np.int16),
        )
        return self.agent, self.patrols, self.wanderers, self.rules, self.rewards, scratch

    @property
    def number_of_starts(self) -> int:
        """How many there are, not counting alike ones twice."""
        if not self.config.random_starts or not len(self.tracks):
            return 1
        return int(math.prod(self.cycles.tolist()) * self.config.obstacle_period)

    def all_starts(self) -> Starts:
        """Every start, with its probability."""
        if not self.config.random_starts:
            return self._seeded([0], is_exact=True)
        phases = self.config.obstacle_period if len(self.tracks) else 1
        axes = [np.arange(n, dtype=np.int32) for n in (*self.cycles.tolist(), phases)]
        places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
        weight = np.full(len(places), 1 / phases)
        for k, (span, cycle) in enumerate(self.patrols[:, SPAN : CYCLE + 1].tolist()):
            # of the 2 (span + 1) cells with headings an end has two, a place between them one
            chance = np.full(cycle, 1 / (2 * (span + 1)))
            chance[[0, span]] = 1 / (span + 1)
            weight *= chance[places[:, k]]
        return Starts(places, weight, is_exact=True)

    def seeded_starts(self, seeds: list[int]) -> Starts:
        """The first starts of these seeds' streams, each as likely as it is frequent."""
        return self._seeded(seeds, is_exact=not self.config.random_starts)

    def _seeded(self, seeds: list[int], is_exact: bool) -> Starts:
        world = World(self.config, len(seeds), self.max_ticks)
        world.seed(seeds)
        world.restart()
        places, count = np.unique(
            self.start_of(world.state, world.clock), axis=0, return_counts=True
        )
        return Starts(places, count / len(seeds), is_exact)

    def start_of(self, state: NDArray[np.int16], clock: NDArray[np.int32]) -> NDArray[np.int32]:
        """How episodes began that are now in these states: (N, K + 1), as `Starts.places`.

        Args:
            state: (rows, N) of a `World`.
            clock: (N,) of a `World`.
        """
        period, ticks = self.config.obstacle_period, clock.astype(np.int64)
        wait = (state[kernels.PHASE] + ticks) % period
        moved = (ticks - wait + period - 1) // period  # 0 where the first move is still to come
        result = np.zeros((state.shape[1], len(self.patrol_rows) + 1), dtype=np.int32)
        for column, k in enumerate(self.patrol_rows.tolist()):
            x, y, hx, hy = state[kernels.FIRST + 4 * k : kernels.FIRST + 4 * k + 4].astype(np.int64)
            along = x - self.tracks[k, kernels.LEFT] + y - self.tracks[k, kernels.TOP]
            place = np.where(hx + hy > 0, along, -along)
            result[:, column] = (place - moved) % self.cycles[column]
        result[:, -1] = wait if len(self.tracks) else 0
        return result

    def obstacles_at(self, start: NDArray[np.int32], tick: int) -> list[tuple[int, int, int, int]]:
        """x, y and the heading of the next move of every obstacle; wanderers on their first cells.

        Args:
            start: (K + 1,) a row of `Starts.places`.
            tick: ticks played since.
        """
        moved = max(0, tick - int(start[-1]) + self.config.obstacle_period - 1)
        moved //= self.config.obstacle_period
        found = {
            k: (*self.tracks[k, kernels.BEGIN_X : kernels.BEGIN_Y + 1].tolist(), 0, 0)
            for k in self.wanderer_rows.tolist()
        }
        for column, k in enumerate(self.patrol_rows.tolist()):
            first, stride, span, cycle = self.patrols[column].tolist()
            place = (int(start[column]) + moved) % cycle
            y, x = divmod(first + stride * min(place, cycle - place), self.level.width)
            sign = 1 if place < span else -1
            horizontal = self.tracks[k, kernels.BEGIN_HX] != 0
            found[k] = (x, y, sign * horizontal, sign * (not horizontal))
        return [found[k] for k in sorted(found)]

    def places_of(self, state: NDArray[np.int16]) -> NDArray[np.int64]:
        """Joint place of the wanderers and cell of the agent, (N, 2).

        Raises:
            ValueError: an agent or a wanderer where none can get to.
        """
        cell = self.cell_of[state[kernels.Y], state[kernels.X]]
        if (cell < 0).any():
            lane = int(np.flatnonzero(cell < 0)[0])
            raise ValueError(
                f"state: expected the agent of lane {lane} where a way leads from the start, got "
                f"column {state[kernels.X, lane]}, row {state[kernels.Y, lane]}"
            )
        joint = np.zeros(state.shape[1], dtype=np.int64)
        for w, k in enumerate(self.wanderer_rows.tolist()):
            row = kernels.FIRST + 4 * k
            own = self.room_index[w][state[row + 1], state[row]]
            if (own < 0).any():
                raise ValueError(f"state: expected obstacle {k} where a way leads from its `?`")
            joint = joint * self.room_sizes[w] + own
        return np.stack([joint, cell], axis=1)

    def begin(self) -> NDArray[np.int64]:
        """`places_of` an episode's first state, (2,)."""
        world = World(self.config, 1, self.max_ticks)
        world.seed([0])
        world.restart()
        place: NDArray[np.int64] = self.places_of(world.state)[0]
        return place


def _patrol(track: NDArray[np.int32], width: int) -> list[int]:
    """First cell, stride, cells that follow and period of a patrol; cells count along the rows."""
    left, top, right, bottom = track[: kernels.BOTTOM + 1].tolist()
    span = (right - left) + (bottom - top)
    return [top * width + left, width if bottom > top else 1, span, max(1, 2 * span)]


def _in_order(cells: set[Cell]) -> list[Cell]:
    """Along the rows."""
    return sorted(cells, key=lambda cell: (cell.y, cell.x))


def _neighbours(level: Level, cells: list[Cell]) -> NDArray[np.int64]:
    """For each cell the indices of where the five actions lead, and its number on the map."""
    index = {cell: i for i, cell in enumerate(cells)}
    steps = ((0, -1), (0, 1), (1, 0), (-1, 0), (0, 0))  # as `kernels.move_agent` has them
    rows = [
        [index.get(Cell(x + dx, y + dy), i) for dx, dy in steps] + [y * level.width + x]
        for i, (x, y) in enumerate(cells)
    ]
    return np.array(rows, dtype=np.int64)


def _index(level: Level, cells: list[Cell]) -> NDArray[np.int64]:
    """(H, W), for each cell of the map its index in `cells`, or -1."""
    index = np.full((level.height, level.width), -1, dtype=np.int64)
    for i, (x, y) in enumerate(cells):
        index[y, x] = i
    return index
