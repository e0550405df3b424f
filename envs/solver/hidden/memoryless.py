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

from sidestep.envs.solver.solution import FromEnv, rules_and_limit

from .tabulated import ACTIONS, Observed, observed

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


def best_memoryless(
    world: Any,
    max_ticks: int | FromEnv | None = "from env",
    seeds: Sequence[int] | None = None,
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
        seeds: the mean is over the first starts of these; by default over all there are.
        restarts: searches from different random policies; the best one counts.

    Raises:
        TypeError, ValueError: not such a world, or one without a time limit.
        Unsolvable: too many starts, cells and ticks.
    """
    config, limit = rules_and_limit(world, max_ticks)
    tables = observed(config, limit, seeds)
    random = np.random.default_rng(0)
    found = []
    for _ in range(restarts):
        policy = random.dirichlet(np.ones(ACTIONS), tables.observations)
        found.append(_climb(0.2 * policy + 0.8 * _informed(tables), tables))
    value, policy = max(found, key=lambda pair: pair[0])
    success, _ = _evaluate(policy, tables, tables.reached)
    return Memoryless(value, success, tables.shown, policy)


def _climb(policy: NDArray[np.float64], tables: Observed) -> tuple[float, NDArray[np.float64]]:
    """Go uphill until no step helps; the mean return, and the policy.

    First for a policy that now and then does anything, then less and less so: what is never
    visited would never be mended, and look worse than it could be.
    """
    for exploration in EXPLORATION:
        value, policy = _climb_with(exploration, policy, tables)
    return value, policy


def _climb_with(
    exploration: float, policy: NDArray[np.float64], tables: Observed
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


def _informed(tables: Observed) -> NDArray[np.float64]:
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
    policy: NDArray[np.float64], tables: Observed, gain: NDArray[Any]
) -> tuple[float, NDArray[np.float32]]:
    """The mean of the summed `gain` under a policy, and Q (T, 5, N), backward in time."""
    value = np.zeros(len(tables.weight), dtype=np.float32)
    q = np.empty(tables.reward.shape, dtype=np.float32)
    for t in range(len(q) - 1, -1, -1):
        q[t] = gain[t] + np.where(tables.over[t], np.float32(0), value[tables.following[t]])
        value = np.einsum("na,an->n", policy[tables.seen[t]], q[t]).astype(np.float32)
    return float(tables.weight @ value), q


def _by_observation(
    policy: NDArray[np.float64], q: NDArray[np.float32], tables: Observed
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
