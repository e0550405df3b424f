"""The tables of solved chains, kept as long as they fit, and the sizes that are too much."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chains import MOST_STARTS, Problem
from .settling import settle
from .sweeps import sweep

MOST_STATES = 2**25
"""States whose tables are kept at a time, 9 bytes each; one chain must fit."""
MOST_CYCLIC_STATES = 2**22
"""Of one chain without a time limit, which takes some 100 bytes each to solve."""
MOST_WORK = 2**31
"""States times draws of the wanderers, over all starts: about a minute."""
MOST_TICKS = 1_000_000
"""Ticks of sweeping until values without a time limit must have settled."""
MOST_SETTLING = 2**33
"""States times draws of the wanderers in all these ticks: some minutes."""


class Unsolvable(ValueError):
    """A world too large to solve, or without a finite optimum; the message says what to change."""


class Tables:
    """Chains that have been solved, by their start.

    Args:
        problem: level and rules.
        share: among how many the memory is shared.

    Raises:
        Unsolvable: one chain alone is too large, or has no finite optimum.
    """

    def __init__(self, problem: Problem, share: int = 1) -> None:
        """No chain yet."""
        check_size(problem)
        self.problem = problem
        self.capacity = max(1, MOST_STATES // share // problem.states)
        self.slots: dict[bytes, int] = {}
        limited = problem.max_ticks is not None
        layers, places, cells = problem.layers, problem.joint_places, len(problem.cells)
        self._shape = (layers + limited, places, cells), (layers, places, cells)
        self.values, self.actions, self.figures = self._rows(0)
        patrols = len(problem.patrol_rows)
        path = np.zeros((layers + 1, patrols), dtype=np.int64)
        self._spaces = path, np.zeros((2 if limited else layers, 4, places, cells))
        self._begin = problem.begin()
        self.model = problem.model()
        """What `solver_kernels` call `model`."""

    def find(self, starts: NDArray[np.int32]) -> NDArray[np.int64]:
        """Where the tables of these starts are; solves what is missing.

        Args:
            starts: (N, K + 1) with at most `capacity` different rows.

        Returns:
            (N,) rows of `values` (slots, L, J, C), `actions` and `figures` (slots, 4).
        """
        keys = [row.tobytes() for row in starts]
        missing = {key: row for key, row in zip(keys, starts, strict=True) if key not in self.slots}
        if len(self.slots) + len(missing) > self.capacity:
            self.slots.clear()
            missing = dict(zip(keys, starts, strict=True))
        if missing:
            self._solve(missing)
        return np.array([self.slots[key] for key in keys], dtype=np.int64)

    def _rows(
        self, number: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]]:
        """Room for so many chains: `values`, `actions`, `figures`."""
        values, actions = self._shape
        return (
            np.empty((number, *values)),
            np.empty((number, *actions), dtype=np.int8),
            np.empty((number, 4)),
        )

    def _solve(self, missing: dict[bytes, NDArray[np.int32]]) -> None:
        first, last = len(self.slots), len(self.slots) + len(missing)
        if last > len(self.values):
            more = self._rows(min(self.capacity, max(last, 2 * len(self.values))))
            more[0][:first], more[1][:first] = self.values[:first], self.actions[:first]
            more[2][:first] = self.figures[:first]
            self.values, self.actions, self.figures = more
        starts = np.array(list(missing.values()), dtype=np.int32)
        tables = self.values[first:last], self.actions[first:last], self.figures[first:last]
        if self.problem.max_ticks is not None:
            sweep(starts, *tables, self._spaces, self._begin, self.model)
        else:
            self._settle(starts, tables)
        self.slots.update(zip(missing, range(first, last), strict=True))

    def _settle(self, starts: NDArray[np.int32], tables: tuple[NDArray[Any], ...]) -> None:
        problem = self.problem
        work = problem.joint_places * len(problem.cells) * problem.draws
        most = min(MOST_TICKS, MOST_SETTLING // work)
        ticks = settle(starts, *tables, self._spaces, self._begin, self.model, most)
        if ticks:
            raise Unsolvable(
                f"values: expected them to settle, they still changed after {ticks:,} ticks "
                f"with discount {problem.discount:g} and no time limit; pass max_ticks or a "
                "lower discount"
            )


def check_size(problem: Problem) -> None:
    """Raise Unsolvable for a chain that is too large."""
    cells, wanderers = len(problem.cells), len(problem.wanderer_rows)
    if problem.max_ticks is None and problem.discount == 1 and problem.config.step_reward > 0:
        raise Unsolvable(
            "step_reward: expected at most 0 with discount 1 and no time limit, got "
            f"{problem.config.step_reward:g}, for which no episode is long enough; pass max_ticks "
            "or a lower discount"
        )
    size = f"{problem.layers:,} ticks x {cells:,} cells"
    if wanderers:
        size += f" x {problem.joint_places:,} places of {wanderers} wanderers"
    most = MOST_CYCLIC_STATES if problem.max_ticks is None else MOST_STATES
    work = problem.states * problem.draws
    if problem.states <= most and work <= MOST_WORK:
        return
    if problem.layers * cells <= most:
        change = "use fewer wanderers, or wall them in"
    elif problem.max_ticks is None:
        change = (
            "these ticks are the common period of the patrols: pass max_ticks, or give tracks "
            "lengths whose periods 2 (length - 1) divide one another"
        )
    else:
        change = "lower max_ticks, or pass None for no limit"
    limit = f"at most {most:,} states"
    if problem.states <= most:
        limit = f"at most {MOST_WORK:,} states times moves of the wanderers"
        size += f" x {problem.draws:,} moves"
    raise Unsolvable(f"solver: expected {limit}, got {size}; {change}")


def check_starts(problem: Problem) -> None:
    """Raise Unsolvable for random starts too many to enumerate."""
    number = problem.number_of_starts
    if number > MOST_STARTS:
        raise Unsolvable(
            f"random starts: expected at most {MOST_STARTS:,} different ones, got {number:,}; pass "
            "seeds, such as range(100), for a mean over these, or use random_starts=False"
        )


def check_work(problem: Problem, starts: int, share: int = 1) -> None:
    """Raise Unsolvable for more starts than can be solved in about a minute.

    Args:
        problem: level and rules.
        starts: how many.
        share: of how many levels this is one.
    """
    most = max(1, MOST_WORK // share // (problem.states * problem.draws))
    if starts > most:
        where = f" on each of {share} levels" if share > 1 else ""
        raise Unsolvable(
            f"starts: expected at most {most:,} of {problem.states:,} states each{where}, got "
            f"{starts:,}; pass fewer seeds, or lower max_ticks"
        )
