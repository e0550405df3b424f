"""Sweeping a chain without a time limit until it settles; see `solver_kernels.py` for the words."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .solver_kernels import GOAL, HITTING, LENGTH, RETURN, TICK, TIE, VALUE, sweep


def settle(
    start: NDArray[np.int32],
    tables: tuple[NDArray[Any], ...],
    spaces: tuple[NDArray[Any], NDArray[np.float64]],
    begin: NDArray[np.int64],
    model: tuple[Any, ...],
    most_ticks: int,
) -> bool:
    """Sweep one chain without a limit until its values settle.

    After n ticks of sweeping the tables are those of the best policy for n ticks to go, so among
    equal values one that ends soonest is chosen, and no policy that only puts off its end.

    Args:
        start: (K + 1,) its start.
        tables: (values, actions, figures) of one chain each, written.
        spaces: as of `sweep`.
        begin: as of `sweep`.
        model: as of `sweep`.
        most_ticks: give up after so many.

    Returns:
        Whether they settled. Lengths and returns that did not are made infinite: the episode may
        never end.
    """
    work, rewards = spaces[1], model[4]
    work[:] = 0.0
    ticks, settled_at = 0, 0
    while ticks < most_ticks:
        before = work.copy()
        sweep(start[None], *(table[None] for table in tables), spaces, begin, model)
        ticks += len(work)
        moved = _change(before, work, rewards)
        if moved[VALUE] > TIE:
            settled_at = 0
            continue
        settled_at = settled_at or ticks
        # what drifts on long after the values have settled belongs to endless episodes
        if moved.max() <= TIE or ticks > 4 * settled_at + 2000:
            tables[2][:] = _endless(before, work, rewards)[:, begin[0], begin[1]]
            return True
    return False


def _change(
    before: NDArray[np.float64], after: NDArray[np.float64], rewards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The largest relative change of each figure in one sweep, (4,)."""
    unit = max(abs(rewards[GOAL]) + abs(rewards[TICK]), np.finfo(np.float64).tiny)
    largest = np.empty(4)
    for figure in range(4):  # one after the other, for the memory's sake
        old, new = before[:, figure], after[:, figure]
        size = np.abs(new) + (unit if figure <= RETURN else 1.0)
        largest[figure] = (np.abs(new - old) / size).max()
    return largest


def _endless(
    before: NDArray[np.float64], after: NDArray[np.float64], rewards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The first layer's figures, (4, J, C), infinite where they still grow by the sweep."""
    growth: NDArray[np.float64] = after[0] - before[0]
    figures: NDArray[np.float64] = after[0].copy()
    endless = growth[LENGTH] > 1e-6 * len(after)
    figures[LENGTH, endless] = np.inf
    unit = np.abs(rewards[[GOAL, HITTING, TICK]]).sum()
    endless &= np.abs(growth[RETURN]) > 1e-6 * unit
    figures[RETURN, endless] = np.copysign(np.inf, growth[RETURN, endless])
    return figures
