"""The exact optimum of a world of several levels: the mean over its levels, each solved alone."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidestep.envs.config import WorldConfig

from .solution import STAY, FromEnv, Solution, rules_and_limit, solve_one
from .sweeps import ACTIONS
from .worlds import Env, lanes_of, levels_of, rules_of

Report = Callable[[int, int], None]
"""Told how many levels are solved, and of how many."""


class LevelSolutions:
    """What `solve_levels` found: a `Solution` for each level, and the means over levels.

    Each episode draws its level, every one as likely; so all figures are plain means over levels.

    Attributes:
        config: levels and rules.
        max_ticks: the time limit, or None.
        discount: gamma, for which the policies are best.
        levels: the solutions, in the order of `config.maps`.
    """

    def __init__(self, config: WorldConfig, levels: Sequence[Solution]) -> None:
        """Put them side by side."""
        self.config, self.levels = config, tuple(levels)
        self.max_ticks, self.discount = self.levels[0].max_ticks, self.levels[0].discount

    @property
    def is_exact(self) -> bool:
        """Whether the means are over all starts of each level rather than those of some seeds."""
        return all(level.starts.is_exact for level in self.levels)

    @property
    def mean_value(self) -> float:
        """Mean discounted return: the optimum for `discount`."""
        return float(np.mean([level.mean_value for level in self.levels]))

    @property
    def mean_return(self) -> float:
        """Mean return without discount; with discount 1 the optimum."""
        return float(np.mean([level.mean_return for level in self.levels]))

    @property
    def success(self) -> float:
        """Probability of reaching the goal."""
        return float(np.mean([level.success for level in self.levels]))

    @property
    def mean_length(self) -> float:
        """Expected ticks of an episode."""
        return float(np.mean([level.mean_length for level in self.levels]))

    @property
    def number_of_starts(self) -> int:
        """Of all levels, those that are alike counted once."""
        return sum(len(level.starts.weight) for level in self.levels)

    def act(
        self, state: NDArray[np.int16], clock: NDArray[np.int32], level_of: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        """The optimal action of every lane.

        Args:
            state: (rows, N), `World.state` or that of `get_state()`.
            clock: (N,) ticks played, likewise.
            level_of: (N,) the number of each lane's level, likewise.

        Returns:
            (N,) 0 up, 1 down, 2 right, 3 left, 4 stay; stay past the time limit.
        """
        actions = np.full(len(clock), STAY, dtype=np.int64)
        for lanes, level in self._lanes(level_of):
            actions[lanes] = level.act(state[:, lanes], clock[lanes])
        return actions

    def value(
        self, state: NDArray[np.int16], clock: NDArray[np.int32], level_of: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """The discounted return that is left to every lane, (N,); arguments as of `act`."""
        values = np.zeros(len(clock))
        for lanes, level in self._lanes(level_of):
            values[lanes] = level.value(state[:, lanes], clock[lanes])
        return values

    def q(
        self, state: NDArray[np.int16], clock: NDArray[np.int32], level_of: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """The value of every action in every lane, (N, 5); arguments as of `act`."""
        values = np.zeros((len(clock), ACTIONS))
        for lanes, level in self._lanes(level_of):
            values[lanes] = level.q(state[:, lanes], clock[lanes])
        return values

    def _lanes(self, level_of: NDArray[np.int32]) -> list[tuple[NDArray[np.int64], Solution]]:
        """The lanes of each level that has some."""
        return [
            (np.flatnonzero(level_of == number), self.levels[number])
            for number in np.unique(level_of).tolist()
        ]

    def player(self, env: Env) -> "LevelsPlayer":
        """Something that acts in `env`, by the env's true state rather than by observations.

        Raises:
            TypeError, ValueError: an env of other rules or another time limit.
        """
        return LevelsPlayer(self, env)


class LevelsPlayer:
    """The optimal policies at an env's controls; see `LevelSolutions.player`."""

    def __init__(self, solutions: LevelSolutions, env: Env) -> None:
        """Check that the solutions are this env's."""
        config, max_ticks = rules_of(env)
        if config.fingerprint(max_ticks) != solutions.config.fingerprint(solutions.max_ticks):
            raise ValueError("env: expected the world that was solved, got one of other rules")
        self.solutions, self.env = solutions, env

    def actions(self) -> NDArray[np.int64]:
        """The optimal action of every lane now, (N,)."""
        return self.solutions.act(*lanes_of(self.env), levels_of(self.env))

    def act(
        self, obs: Any, episode_start: bool, reward: float = 0.0, info: dict[str, Any] | None = None
    ) -> int:
        """The optimal action of the only lane now; nothing of what is passed is looked at."""
        return int(self.actions()[0])


def solve_levels(
    world: Env | WorldConfig,
    discount: float = 1.0,
    max_ticks: int | FromEnv | None = "from env",
    seeds: Sequence[int] | None = None,
    report: Report | None = None,
) -> LevelSolutions:
    """The exact optimum of a world of one level or several.

    Args:
        world: as of `solve`.
        discount: gamma in [0, 1].
        max_ticks: as of `solve`.
        seeds: on each level, take the mean over the first starts of these seeds instead of over all
            starts: those of `reset(seed=s, options={"level": number})`.
        report: called after every level.

    Returns:
        A `Solution` for each level, and their means.

    Raises:
        TypeError, ValueError: as of `solve`.
        Unsolvable: a level that is too large, or starts that are too many; a ValueError.
    """
    config, limit = rules_and_limit(world, max_ticks)
    number = len(config.maps)
    found = []
    for n in range(number):
        alone = config.alone(n) if number > 1 else config
        found.append(solve_one(alone, limit, discount, seeds, share=number))
        if report is not None:
            report(n + 1, number)
    return LevelSolutions(config, found)
