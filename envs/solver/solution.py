"""The exact optimum of a world, by dynamic programming."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidestep.envs.arguments import check_max_ticks, check_seeds
from sidestep.envs.config import WorldConfig

from .chains import Problem, Starts
from .shown import solution_html
from .sweeps import ACTIONS, LENGTH, RETURN, SUCCESS, VALUE, action_values
from .tables import Tables, check_starts, check_work
from .worlds import Env, lanes_of, rules_of

STAY = 4
FromEnv = Literal["from env"]


class _Lanes(NamedTuple):
    """Lanes whose chains are solved, and where in the tables they stand."""

    which: NDArray[np.int64]
    starts: NDArray[np.int32]
    slots: NDArray[np.int64]
    layers: NDArray[np.int64]
    places: NDArray[np.int64]


class Solution:
    """What `solve` found: the optimal policy and what it brings.

    Means over starts are weighted by the starts' probabilities. All figures are those of one
    policy: the best for `discount`, and among equals the one that needs fewer ticks.

    Attributes:
        config: level and rules.
        max_ticks: the time limit, or None.
        discount: gamma, for which the policy is best.
        starts: the ways in which episodes begin.
        values: (N,) discounted return from each start.
        returns: (N,) the plain sum of rewards.
        successes: (N,) probability of reaching the goal.
        lengths: (N,) expected ticks; inf where an episode may never end.
    """

    def __init__(self, problem: Problem, tables: Tables, starts: Starts) -> None:
        """Solve every start."""
        self._problem, self._tables, self.starts = problem, tables, starts
        self.config, self.max_ticks = problem.config, problem.max_ticks
        self.discount = problem.discount
        figures, step = np.empty((len(starts.weight), 4)), tables.capacity
        for begin in range(0, len(figures), step):
            slots = tables.find(starts.places[begin : begin + step])
            figures[begin : begin + step] = tables.figures[slots]
        self.values, self.returns = figures[:, VALUE], figures[:, RETURN]
        self.successes, self.lengths = figures[:, SUCCESS], figures[:, LENGTH]

    @property
    def mean_value(self) -> float:
        """Mean discounted return: the optimum for `discount`."""
        return float(self.starts.weight @ self.values)

    @property
    def mean_return(self) -> float:
        """Mean return without discount, of this policy; with discount 1 the optimum."""
        return float(self.starts.weight @ self.returns)

    @property
    def success(self) -> float:
        """Probability of reaching the goal."""
        return float(self.starts.weight @ self.successes)

    @property
    def mean_length(self) -> float:
        """Expected ticks of an episode."""
        return float(self.starts.weight @ self.lengths)

    def act(self, state: NDArray[np.int16], clock: NDArray[np.int32]) -> NDArray[np.int64]:
        """The optimal action of every lane.

        Args:
            state: (rows, N), `World.state` or that of `get_state()`.
            clock: (N,) ticks played, likewise.

        Returns:
            (N,) 0 up, 1 down, 2 right, 3 left, 4 stay; stay past the time limit.

        Raises:
            ValueError: an agent or a wanderer where none can get to.
        """
        actions = np.full(len(clock), STAY, dtype=np.int64)
        for lanes in self._lanes(state, clock):
            joint, cell = lanes.places.T
            actions[lanes.which] = self._tables.actions[lanes.slots, lanes.layers, joint, cell]
        return actions

    def value(self, state: NDArray[np.int16], clock: NDArray[np.int32]) -> NDArray[np.float64]:
        """The discounted return that is left to every lane, (N,); arguments as of `act`."""
        values = np.zeros(len(clock))
        for lanes in self._lanes(state, clock):
            joint, cell = lanes.places.T
            values[lanes.which] = self._tables.values[lanes.slots, lanes.layers, joint, cell]
        return values

    def q(self, state: NDArray[np.int16], clock: NDArray[np.int32]) -> NDArray[np.float64]:
        """The value of every action in every lane, (N, 5); arguments as of `act`."""
        values = np.zeros((len(clock), ACTIONS))
        for lanes in self._lanes(state, clock):
            q = np.empty((len(lanes.which), ACTIONS))
            action_values(
                lanes.starts,
                lanes.slots,
                lanes.layers,
                lanes.places,
                self._tables.values,
                q,
                self._tables.model,
            )
            values[lanes.which] = q
        return values

    def _lanes(self, state: NDArray[np.int16], clock: NDArray[np.int32]) -> Iterator[_Lanes]:
        """The lanes that are not past the limit, as many at a time as there is room for."""
        limit = np.inf if self.max_ticks is None else self.max_ticks
        open_lanes = np.flatnonzero(clock < limit)
        for begin in range(0, len(open_lanes), self._tables.capacity):
            which = open_lanes[begin : begin + self._tables.capacity]
            starts = self._problem.start_of(state[:, which], clock[which])
            places = self._problem.places_of(state[:, which])
            layers = clock[which].astype(np.int64) % self._problem.layers
            yield _Lanes(which, starts, self._tables.find(starts), layers, places)

    def maps(self, start: int, tick: int) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        """V and the policy over the level, the wanderers on their first cells.

        Args:
            start: row of `starts`.
            tick: of the episode, below the time limit.

        Returns:
            V (H, W), NaN where no way leads, and the best actions (H, W), -1 there.

        Raises:
            IndexError: no such start or tick.
        """
        problem, number = self._problem, len(self.starts.weight)
        if not 0 <= start < number:
            raise IndexError(f"start: expected 0 to {number - 1}, got {start}")
        if tick < 0 or (self.max_ticks is not None and tick >= self.max_ticks):
            most = "" if self.max_ticks is None else f" to {self.max_ticks - 1}"
            raise IndexError(f"tick: expected 0{most or ' or more'}, got {tick}")
        slot = self._tables.find(self.starts.places[start : start + 1])[0]
        layer, joint = tick % problem.layers, problem.begin()[0]
        inside = problem.cell_of >= 0
        values = np.full(inside.shape, np.nan)
        actions = np.full(inside.shape, -1, dtype=np.int8)
        values[inside] = self._tables.values[slot, layer, joint]  # both count along the rows
        actions[inside] = self._tables.actions[slot, layer, joint]
        return values, actions

    def obstacles(self, start: int, tick: int) -> list[tuple[int, int, int, int]]:
        """x, y and the heading of the next move of every obstacle; arguments as of `maps`.

        A wanderer's heading is (0, 0), and it is on its first cell.
        """
        return self._problem.obstacles_at(self.starts.places[start], tick)

    def _repr_html_(self) -> str | None:
        """Figures, and V with the best actions, for a notebook; None: it shows the text."""
        with suppress(Exception):  # what cannot be drawn is no error of its own
            return solution_html(self)
        return None

    @property
    def states(self) -> int:
        """Of one start: ticks, or those of a period, times places times cells."""
        return self._problem.states

    @property
    def table_bytes(self) -> int:
        """Memory that the tables take."""
        return self._tables.values.nbytes + self._tables.actions.nbytes

    def player(self, env: Env) -> "Player":
        """Something that acts in `env`, by the env's true state rather than by observations.

        Raises:
            TypeError, ValueError: an env of other rules or another time limit.
        """
        return Player(self, env)


class Player:
    """The optimal policy at an env's controls; see `Solution.player`."""

    def __init__(self, solution: Solution, env: Env) -> None:
        """Check that the solution is this env's."""
        config, max_ticks = rules_of(env)
        if config.fingerprint(max_ticks) != solution.config.fingerprint(solution.max_ticks):
            raise ValueError("env: expected the world that was solved, got one of other rules")
        self.solution, self.env = solution, env

    def actions(self) -> NDArray[np.int64]:
        """The optimal action of every lane now, (N,)."""
        return self.solution.act(*lanes_of(self.env))

    def act(
        self, obs: Any, episode_start: bool, reward: float = 0.0, info: dict[str, Any] | None = None
    ) -> int:
        """The optimal action of the only lane now; nothing of what is passed is looked at."""
        return int(self.actions()[0])


def solve(
    world: Env | WorldConfig,
    discount: float = 1.0,
    max_ticks: int | FromEnv | None = "from env",
    seeds: Sequence[int] | None = None,
) -> Solution:
    """The exact optimum of a world.

    Obstacles do not react, so for a given start the patrols are a function of the tick t. With a
    time limit, (t, cell) is a finite decision problem, solved by one backward induction; without,
    (t modulo the patrols' common period, cell), swept backward until values settle within 1e-12.
    Wanderers' cells join the state, with exact expectations.

    Args:
        world: an env, single or vector, wrapped or not (of wrappers only `TimeLimit` is looked
            at); or a configuration.
        discount: gamma in [0, 1].
        max_ticks: time limit in ticks, None for none; by default the env's. A configuration has
            none of its own, and it must be passed.
        seeds: take the mean over the first starts of these seeds instead of over all starts.

    Returns:
        Figures, and values and actions for every state.

    Raises:
        TypeError: not a world of this package, or a configuration without `max_ticks`.
        ValueError: a discount, limit or seeds out of range.
        Unsolvable: a world too large, or without a finite optimum; a ValueError.

    Source: Puterman (1994), Markov Decision Processes, sections 4.5 and 6.3.
    """
    return solve_one(*rules_and_limit(world, max_ticks), discount, seeds)


def rules_and_limit(
    world: Env | WorldConfig, max_ticks: int | FromEnv | None
) -> tuple[WorldConfig, int | None]:
    """What is to be solved; arguments as of `solve`.

    Raises:
        TypeError, ValueError: as of `solve`.
    """
    if isinstance(world, WorldConfig):
        if max_ticks == "from env":
            raise TypeError("max_ticks: expected an integer or None beside a WorldConfig, got none")
        return world, check_max_ticks(max_ticks)
    config, limit = rules_of(world)
    return config, limit if max_ticks == "from env" else check_max_ticks(max_ticks)


def solve_one(
    config: WorldConfig,
    limit: int | None,
    discount: float,
    seeds: Sequence[int] | None = None,
    share: int = 1,
) -> Solution:
    """`solve` for a configuration of one level.

    Args:
        config: level and rules.
        limit: time limit in ticks; None for none.
        discount: gamma.
        seeds: instead of all starts.
        share: of how many levels this is one; they share memory and time.

    Raises:
        ValueError: as of `solve`.
        Unsolvable: likewise.
    """
    if not 0 <= discount <= 1:
        raise ValueError(f"discount: expected a number in [0, 1], got {discount!r}")
    problem = Problem(config, limit, float(discount))
    tables = Tables(problem, share)
    if seeds is None:
        check_starts(problem)
        check_work(problem, problem.number_of_starts, share)
        starts = problem.all_starts()
    else:
        known = check_seeds(list(seeds), len(seeds))
        if not known or None in known:
            raise ValueError("seeds: expected at least one non-negative integer, and no None")
        starts = problem.seeded_starts([seed for seed in known if seed is not None])
        check_work(problem, len(starts.weight), share)
    return Solution(problem, tables, starts)
