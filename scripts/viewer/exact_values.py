"""Exact values beside a world that is played: what each action of a situation is worth.

Worlds of several levels are solved level by level, when one comes up.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from sidestep.envs import Cell, Level, Solution, Unsolvable, solve
from sidestep.envs.solver.chains import Problem
from sidestep.envs.solver.worlds import rules_of
from sidestep.envs.world import State
from sidestep.scripts.viewer.panels.moment import CellValues

PATIENCE = 2**24
"""Levels with more states of one start than this would hold the window up: no regret is shown."""
LEVELS_KEPT = 64


class ExactValues:
    """What the best policy would do in an env's world, and what everything else would cost.

    Args:
        env: one of this package's worlds, single.
        discount: gamma of the values.

    Raises:
        TypeError: not a world of this package.
        Unsolvable: a world too large, or without a finite optimum; a ValueError.
    """

    def __init__(self, env: gym.Env[Any, Any], discount: float) -> None:
        """Solve one level, to see whether it can be done."""
        self.config, self.limit = rules_of(env)
        self.discount = discount
        self._solved = lru_cache(maxsize=LEVELS_KEPT)(self._solve)
        self._solved(0)

    def q(self, state: State) -> NDArray[np.float64]:
        """(A,) values of the actions in a world's `get_state()`, of its only lane."""
        solution = self._solved(int(state["level_of"][0]))
        values: NDArray[np.float64] = solution.q(state["state"], state["clock"])[0]
        return values

    def act(self, state: State) -> int:
        """The optimal action in a world's `get_state()`, of its only lane."""
        solution = self._solved(int(state["level_of"][0]))
        return int(solution.act(state["state"], state["clock"])[0])

    def cells(self, state: State) -> CellValues:
        """Values and actions of every cell, were the agent there."""
        number = int(state["level_of"][0])
        solution, level = self._solved(number), self.config.maps[number]
        at = crossed(level)
        states = lanes_at(state["state"], at)
        clock = np.repeat(state["clock"], len(at))
        values = np.full((level.height, level.width), np.nan)
        actions = np.full((level.height, level.width), -1, dtype=np.int64)
        rows, columns = [cell.y for cell in at], [cell.x for cell in at]
        values[rows, columns] = solution.value(states, clock)
        actions[rows, columns] = solution.act(states, clock)
        return CellValues(values, actions)

    def _solve(self, number: int) -> Solution:
        config = self.config.alone(number) if len(self.config.maps) > 1 else self.config
        problem = Problem(config, self.limit, self.discount)
        if problem.states * problem.draws > PATIENCE:
            raise Unsolvable(f"world: expected at most {PATIENCE:,} states, got {problem.states:,}")
        return solve(config, self.discount, self.limit, seeds=[0])


def exact_values_of(env: gym.Env[Any, Any], discount: float) -> ExactValues | None:
    """The exact values of an env, where they can be solved for."""
    try:
        return ExactValues(env, discount)
    except (TypeError, Unsolvable):
        return None


@lru_cache(maxsize=LEVELS_KEPT)
def crossed(level: Level) -> tuple[Cell, ...]:
    """The cells in which an agent can stand while its episode goes on."""
    return tuple(sorted(level.reachable(level.start) - {level.goal}))


def lanes_at(state: NDArray[np.int16], cells: Sequence[Cell]) -> NDArray[np.int16]:
    """One lane's state (rows, 1), repeated with the agent on each of N cells: (rows, N)."""
    states = np.repeat(state, len(cells), axis=1)
    states[0] = [x for x, _ in cells]
    states[1] = [y for _, y in cells]
    return states
