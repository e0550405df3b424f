"""The best policy without a memory: local search over exact values.

What a world hides, an optimum that sees everything cannot measure: the fair comparison for an
agent without a memory is the best function from one observation to actions. Finding it is hard
(NP-hard already for deterministic ones, Littman 1994), improving one is not: its exact value and
its exact occupancy tell for every observation which action would help.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import kernels
from .config import WorldConfig
from .solver import FromEnv, rules_and_limit
from .solver_tables import Unsolvable
from .world import World

ACTIONS = 5
MOST_ENTRIES = 2**25
"""Starts x cells x ticks x actions of the tables, about five bytes each."""
STEPS = (1.0, 0.5, 0.25, 0.1, 0.03)
"""Shares of the better policy that are tried."""
EXPLORATION = (0.2, 0.05, 0.01, 0.0)
"""Shares of random actions, one after the other."""
LEAST_GAIN = 1e-6
"""Of the mean return, by which a step must help."""


class Memoryless(NamedTuple):
    """A policy without a memory, and what it reaches."""

    mean_return: float
    """Over the starts of the seeds, without discount."""
    success: float
    """Probability of reaching the goal."""
    shown: NDArray[Any]
    """(O, D) all different observations, flattened."""
    probabilities: NDArray[np.float64]
    """(O, 5) of each action where it is shown."""

    def probabilities_of(self, obs: NDArray[Any]) -> NDArray[np.float64]:
        """What it does, (N, 5).

        Args:
            obs: (N, ...) observations of this world.

        Raises:
            KeyError: one that no start of the seeds leads to.
        """
        row = {key.tobytes(): n for n, key in enumerate(self.shown)}
        flat = np.ascontiguousarray(obs, self.shown.dtype).reshape(len(obs), -1)
        return self.probabilities[[row[one.tobytes()] for one in flat]]


class _Tables(NamedTuple):
    """Lane s * C + c is start s with the agent on cell c; T ticks, N lanes, O observations."""

    seen: NDArray[np.int32]  # (T, N) number of the observation
    following: NDArray[np.int32]  # (T, 5, N) lane after each action
    reward: NDArray[np.float32]  # (T, 5, N)
    over: NDArray[np.bool_]  # (T, 5, N) the episode ends with it
    reached: NDArray[np.bool_]  # (T, 5, N) at the goal
    weight: NDArray[np.float64]  # (N,) probability of each lane at tick 0
    shown: NDArray[Any]  # (O, D)

    @property
    def observations(self) -> int:
        """O."""
        return len(self.shown)


def best_memoryless(
    world: Any,
    max_ticks: int | FromEnv | None = "from env",
    seeds: Sequence[int] = range(1024),
    restarts: int = 4,
) -> Memoryless:
    """The best memoryless policy that a local search finds; a lower bound of what is possible.

    Each step computes, exactly, the values Q of all states under the policy and how often it is in
    each; for every observation the action of the largest occupancy-weighted Q is better to first
    order, and the policy moves towards it as far as that helps (conservative policy iteration,
    Kakade and Langford 2002, with a line search). Policies may be random: without a memory that
    can be worth something.

    Args:
        world: an env of one level without wanderers, or its configuration.
        max_ticks: time limit in ticks; by default the env's.
        seeds: the mean is over the first starts of these.
        restarts: searches from different random policies; the best one counts.

    Raises:
        TypeError, ValueError: not such a world, or one without a time limit.
        Unsolvable: too many starts, cells and ticks.
    """
    config, limit = rules_and_limit(world, max_ticks)
    tables = _tables(config, limit, list(seeds))
    random = np.random.default_rng(0)
    found = []
    for _ in range(restarts):
        policy = random.dirichlet(np.ones(ACTIONS), tables.observations)
        found.append(_climb(0.2 * policy + 0.8 * _informed(tables), tables))
    value, policy = max(found, key=lambda pair: pair[0])
    success, _ = _evaluate(policy, tables, tables.reached)
    return Memoryless(value, success, tables.shown, policy)


def _climb(policy: NDArray[np.float64], tables: _Tables) -> tuple[float, NDArray[np.float64]]:
    """Go uphill until no step helps; the mean return, and the policy.

    First for a policy that now and then does anything, then less and less so: what is never
    visited would never be mended, and look worse than it could be.
    """
    for exploration in EXPLORATION:
        value, policy = _climb_with(exploration, policy, tables)
    return value, policy


def _climb_with(
    exploration: float, policy: NDArray[np.float64], tables: _Tables
) -> tuple[float, NDArray[np.float64]]:
    """The same where a share `exploration` of all actions is random."""

    def around(policy: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1 - exploration) * policy + exploration / ACTIONS

    value, q = _evaluate(around(policy), tables, tables.reward)
    while True:
        advantage = _by_observation(around(policy), q, tables)
        better = np.eye(ACTIONS)[advantage.argmax(1)]
        better[~advantage.any(1)] = policy[~advantage.any(1)]
        for share in STEPS:
            mixed = (1 - share) * policy + share * better
            new, new_q = _evaluate(around(mixed), tables, tables.reward)
            if new > value + LEAST_GAIN:
                break
        else:
            return value, policy
        value, policy, q = new, mixed, new_q


def _informed(tables: _Tables) -> NDArray[np.float64]:
    """(O, 5) what is best on average over the states that look alike, if all is seen afterwards.

    Source: Q_MDP, Littman et al. (1995).
    """
    total = np.zeros((tables.observations, ACTIONS))
    value = np.zeros(len(tables.weight), dtype=np.float32)
    for t in range(len(tables.seen) - 1, -1, -1):
        goes_on = np.where(tables.over[t], np.float32(0), value[tables.following[t]])
        q = tables.reward[t] + goes_on  # (5, N)
        for action in range(ACTIONS):
            total[:, action] += np.bincount(tables.seen[t], q[action], tables.observations)
        value = q.max(0)
    return np.asarray(np.eye(ACTIONS)[total.argmax(1)])


def _evaluate(
    policy: NDArray[np.float64], tables: _Tables, gain: NDArray[Any]
) -> tuple[float, NDArray[np.float32]]:
    """The mean of the summed `gain` under a policy, and Q (T, 5, N), backward in time."""
    value = np.zeros(len(tables.weight), dtype=np.float32)
    q = np.empty(tables.reward.shape, dtype=np.float32)
    for t in range(len(q) - 1, -1, -1):
        q[t] = gain[t] + np.where(tables.over[t], np.float32(0), value[tables.following[t]])
        value = np.einsum("na,an->n", policy[tables.seen[t]], q[t]).astype(np.float32)
    return float(tables.weight @ value), q


def _by_observation(
    policy: NDArray[np.float64], q: NDArray[np.float32], tables: _Tables
) -> NDArray[np.float64]:
    """(O, 5) the sum of Q over states that look alike, weighted with how often they are visited."""
    total = np.zeros((tables.observations, ACTIONS))
    here = tables.weight
    for t, seen in enumerate(tables.seen):
        chance = policy[seen] * here[:, None]  # (N, 5) of being there and doing that
        following = np.zeros_like(here)
        for action in range(ACTIONS):
            total[:, action] += np.bincount(seen, here * q[t, action], tables.observations)
            goes_on = chance[:, action] * ~tables.over[t, action]
            following += np.bincount(tables.following[t, action], goes_on, len(here))
        here = following
    return total


def _tables(config: WorldConfig, limit: int | None, seeds: list[int]) -> _Tables:
    """Play every action from every cell at every tick, by the world's own rules."""
    level, width = config.map, config.map.width
    if limit is None or any(o.is_wanderer for o in level.obstacles):
        raise ValueError("world: expected a time limit and patrols only, without wanderers")
    starts, counts = _starts(config, limit, seeds)
    cells = sorted(level.reachable(level.start), key=lambda cell: (cell.y, cell.x))
    lanes, entries = len(starts) * len(cells), len(starts) * len(cells) * limit * ACTIONS
    if entries > MOST_ENTRIES:
        raise Unsolvable(
            f"memoryless: expected at most {MOST_ENTRIES:,} entries, got {len(starts):,} starts x "
            f"{len(cells)} cells x {limit} ticks x {ACTIONS} actions; use fewer seeds or ticks"
        )
    number = np.full(level.height * width, -1)
    places = np.array([(cell.x, cell.y) for cell in cells], dtype=np.int16)
    number[places[:, 1].astype(int) * width + places[:, 0]] = np.arange(len(cells))
    world = World(config, lanes, limit)
    state = np.repeat(starts.T, len(cells), axis=1)  # (rows, N)
    state[kernels.X], state[kernels.Y] = np.tile(places, (len(starts), 1)).T
    first = np.arange(lanes) // len(cells) * len(cells)  # of each start's lanes
    reward, flags = np.zeros(lanes), np.zeros((5, lanes), dtype=np.bool_)
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
    seen, different = _number(shown)
    weight = np.zeros(lanes)
    begin = cells.index(level.start)
    weight[begin :: len(cells)] = counts / len(seeds)
    following, reward_of, over_of, reached = columns
    return _Tables(seen, following, reward_of, over_of, reached, weight, different)


def _starts(
    config: WorldConfig, limit: int, seeds: list[int]
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Different first states (S, rows) of the seeds, and how often each comes."""
    world = World(config, len(seeds), limit)
    world.seed(seeds)
    world.restart()
    starts, counts = np.unique(world.state.T, axis=0, return_counts=True)
    return starts, counts


def _number(shown: list[NDArray[Any]]) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Equal observations get equal numbers, (T, N); and the different ones, (O, D)."""
    rows = np.ascontiguousarray(np.stack(shown))  # (T, N, D)
    flat = rows.reshape(-1, rows.shape[-1])
    keys = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1])))[:, 0]
    _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
    return numbers.reshape(rows.shape[:2]).astype(np.int32), flat[first]
