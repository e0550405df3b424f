"""The best policy that remembers all it was shown: exact, by search over what may be the case.

What an agent cannot see of obstacles that patrol is how the episode began, nothing else. Its belief
is therefore a set of states, one for each start that agrees with all it was shown; each action
moves them all, and the next observation splits them. Where one state is left, everything is known.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidestep.envs.solver.solution import FromEnv, rules_and_limit
from sidestep.envs.solver.tables import Unsolvable

from .tabulated import Observed, observed

MOST_TICKS = 500
"""Of the time limit: the search goes as deep."""
MOST_BELIEFS = 2**20
"""Beliefs that are looked at."""
TIE = 1e-9

Belief = tuple[int, ...]
"""Lanes of `Observed` that the agent may be in, one for each start that is left."""


class Worth(NamedTuple):
    """What a belief brings, weighted with its probability, and the action that does it."""

    gain: float
    success: float
    action: int


class Remembering:
    """The best policy that knows all it was shown since the episode began, and what it did.

    Attributes:
        mean_return: over the starts of the seeds, without discount.
        success: probability of reaching the goal.
        beliefs: how many the search had to look at.
    """

    def __init__(self, tables: Observed) -> None:
        """Search; see `best_remembering`."""
        self._tables = tables
        self._known: dict[tuple[int, Belief], Worth] = {}
        self._value, self._success, self._choice = _all_seen(tables)
        found = [self._worth(0, belief) for belief in self._first().values()]
        self.mean_return = sum(worth.gain for worth in found)
        self.success = sum(worth.success for worth in found)
        self.beliefs = len(self._known)

    def act(self, shown: Sequence[NDArray[Any]]) -> int:
        """The action in an episode that has shown these observations.

        Args:
            shown: all since the reset, the present one last; of an episode that followed this
                policy.

        Raises:
            ValueError: observations that no start of the seeds leads to.
        """
        numbers = [self._number(obs) for obs in shown]
        belief = self._first().get(numbers[0])
        action = -1
        for tick, number in enumerate(numbers):
            if tick and belief is not None:
                belief = self._split(tick - 1, belief, action).get(number)
            if belief is None:
                raise ValueError(
                    f"shown: expected an episode of the seeds, got one that differs at tick {tick}"
                )
            action = self._worth(tick, belief).action
        return action

    def _number(self, obs: NDArray[Any]) -> int:
        """Of an observation; -1 for one that is never shown."""
        flat = np.asarray(obs, self._tables.shown.dtype).reshape(-1)
        same = np.flatnonzero((self._tables.shown == flat).all(1))
        return int(same[0]) if len(same) else -1

    def _first(self) -> dict[int, Belief]:
        """What an agent may believe at tick 0, by what it is shown."""
        tables, found = self._tables, dict[int, list[int]]()
        for lane in np.flatnonzero(tables.weight).tolist():
            found.setdefault(int(tables.seen[0, lane]), []).append(lane)
        return {number: tuple(lanes) for number, lanes in found.items()}

    def _split(self, tick: int, belief: Belief, action: int) -> dict[int, Belief]:
        """What it may believe after an action, by what it is shown then."""
        tables, lanes = self._tables, np.array(belief)
        lanes = tables.following[tick, action, lanes][~tables.over[tick, action, lanes]]
        found: dict[int, list[int]] = {}
        for number, lane in zip(
            tables.seen[tick + 1, lanes].tolist() if len(lanes) else [], lanes.tolist(), strict=True
        ):
            found.setdefault(number, []).append(lane)
        return {number: tuple(following) for number, following in found.items()}

    def _worth(self, tick: int, belief: Belief) -> Worth:
        """The best that can be had from a belief.

        Actions are tried in the order of what they would bring if all were seen afterwards, which
        is never too little; one that could not even then be better than the best is left out.
        """
        if len(belief) == 1:
            lane, chance = belief[0], self._tables.chance[belief[0]]
            gain, success = self._value[tick, lane], self._success[tick, lane]
            return Worth(chance * gain, chance * success, int(self._choice[tick, lane]))
        known = self._known.get((tick, belief))
        if known is not None:
            return known
        if len(self._known) >= MOST_BELIEFS:
            raise Unsolvable(
                f"remembering: expected at most {MOST_BELIEFS:,} beliefs, got more; use fewer "
                "seeds or ticks"
            )
        tables, lanes = self._tables, np.array(belief)
        chance = tables.chance[lanes]
        following, over = tables.following[tick][:, lanes], tables.over[tick][:, lanes]
        later = np.where(over, 0.0, self._value[tick + 1][following])
        limits = (tables.reward[tick][:, lanes] + later) @ chance  # (5,)
        best = Worth(-np.inf, 0.0, -1)
        for action in np.argsort(-limits, kind="stable").tolist():
            if limits[action] <= best.gain + TIE:
                break
            gain = float(tables.reward[tick, action, lanes] @ chance)
            success = float(tables.reached[tick, action, lanes] @ chance)
            for part in self._split(tick, belief, action).values():
                worth = self._worth(tick + 1, part)
                gain, success = gain + worth.gain, success + worth.success
            if gain > best.gain + TIE:
                best = Worth(gain, success, action)
        self._known[tick, belief] = best
        return best


def best_remembering(
    world: Any, max_ticks: int | FromEnv | None = "from env", seeds: Sequence[int] | None = None
) -> Remembering:
    """The best policy with a perfect memory, exactly: no agent can reach more on average.

    Beside `solve`, whose optimum sees everything, it tells what hiding costs; beside
    `best_memoryless`, what a memory can bring. Rewards count as seen only where observations show
    what they tell.

    Args:
        world: an env of one level without wanderers, or its configuration.
        max_ticks: time limit in ticks; by default the env's.
        seeds: the mean is over the first starts of these; by default over all there are. A policy
            for few starts knows that there are no others, and profits from it.

    Raises:
        TypeError, ValueError: not such a world, or one without a time limit.
        Unsolvable: too many starts, cells and ticks, or beliefs.

    Source: belief states after Kaelbling, Littman & Cassandra (1998), the bound that leaves actions
    out after Littman, Cassandra & Kaelbling (1995), Q_MDP.
    """
    config, limit = rules_and_limit(world, max_ticks)
    if limit is not None and limit > MOST_TICKS:
        raise Unsolvable(f"remembering: expected at most {MOST_TICKS} ticks, got {limit}")
    return Remembering(observed(config, limit, seeds))


def _all_seen(tables: Observed) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Value and success (T + 1, N) and best action (T, N) of one who sees everything."""
    ticks, lanes = tables.seen.shape
    value, success = np.zeros((ticks + 1, lanes)), np.zeros((ticks + 1, lanes))
    choice = np.zeros((ticks, lanes), dtype=np.int8)
    for t in range(ticks - 1, -1, -1):
        following, over = tables.following[t], tables.over[t]
        q = tables.reward[t] + np.where(over, 0.0, value[t + 1][following])  # (5, N)
        reaches = tables.reached[t] + np.where(over, 0.0, success[t + 1][following])
        choice[t] = q.argmax(0)
        value[t], success[t] = q.max(0), reaches[choice[t], np.arange(lanes)]
    return value, success, choice
