"""Sweeping chains without a time limit until they settle; see `solver_kernels.py` for the words."""

from typing import Any

import numpy as np

from sidestep.envs.rules.draws import compiled, inlined

from .sweeps import GOAL, HITTING, LENGTH, RETURN, TICK, TIE, VALUE, copy, sweep


@compiled
def settle(
    starts: Any,
    values: Any,
    actions: Any,
    figures: Any,
    spaces: Any,
    begin: Any,
    model: Any,
    most_ticks: Any,
) -> int:
    """Sweep every start's chain, which has no limit, until its values settle.

    After n ticks of sweeping the tables are those of the best policy for n ticks to go, so among
    equal values one that ends soonest is chosen, and no policy that only puts off its end.

    Lengths and returns that do not settle are made infinite: the episode may never end.

    Args:
        starts: (N, K + 1).
        values: (N, P, J, C) as of `sweep`, written; so are `actions` and `figures`.
        actions: as of `sweep`.
        figures: as of `sweep`.
        spaces: as of `sweep`.
        begin: as of `sweep`.
        model: as of `sweep`.
        most_ticks: give up on a chain after so many.

    Returns:
        The ticks of a chain that did not settle, or 0 where all did.
    """
    work, rewards = spaces[1], model[4]
    before = np.empty_like(work)
    for n in range(starts.shape[0]):
        one = slice(n, n + 1)
        work.fill(0.0)
        ticks, settled_at, is_over = 0, 0, False
        while not is_over:
            if ticks >= most_ticks:
                return ticks
            for t in range(work.shape[0]):
                for figure in range(work.shape[1]):
                    copy(work[t, figure], before[t, figure])
            sweep(starts[one], values[one], actions[one], figures[one], spaces, begin, model)
            ticks += work.shape[0]
            if largest_change(before, work, VALUE, rewards) > TIE:
                settled_at = 0
                continue
            if settled_at == 0:
                settled_at = ticks
            # what drifts on long after the values have settled belongs to endless episodes
            is_over = ticks > 4 * settled_at + 2000 or have_settled(before, work, rewards)
        mark_endless(before, work, begin, rewards, figures[n])
    return 0


@inlined
def largest_change(before: Any, after: Any, figure: Any, rewards: Any) -> float:
    """The largest relative change of a figure in one sweep."""
    unit = 1.0
    if figure <= RETURN:
        unit = max(abs(rewards[GOAL]) + abs(rewards[TICK]), np.finfo(np.float64).tiny)
    largest = 0.0
    for t in range(after.shape[0]):
        for joint in range(after.shape[2]):
            for cell in range(after.shape[3]):
                new = after[t, figure, joint, cell]
                change = abs(new - before[t, figure, joint, cell]) / (abs(new) + unit)
                largest = max(largest, change)
    return largest


@inlined
def have_settled(before: Any, after: Any, rewards: Any) -> bool:
    """Whether none of the figures changed but by rounding."""
    for figure in range(after.shape[1]):
        if largest_change(before, after, figure, rewards) > TIE:
            return False
    return True


@inlined
def mark_endless(before: Any, after: Any, begin: Any, rewards: Any, figures: Any) -> None:
    """Make those of the first state's figures (4,) infinite that still grow by the sweep."""
    joint, cell = begin[0], begin[1]
    if after[0, LENGTH, joint, cell] - before[0, LENGTH, joint, cell] <= 1e-6 * after.shape[0]:
        return
    figures[LENGTH] = np.inf
    growth = after[0, RETURN, joint, cell] - before[0, RETURN, joint, cell]
    if abs(growth) > 1e-6 * (abs(rewards[GOAL]) + abs(rewards[HITTING]) + abs(rewards[TICK])):
        figures[RETURN] = np.copysign(np.inf, growth)
