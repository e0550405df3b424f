"""Chains swept backward; see `solver_kernels.py` for the words and the tables."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import compiled
from .solver_kernels import (
    GOAL,
    HITTING,
    LENGTH,
    PERIOD,
    RETURN,
    TICK,
    TIE,
    VALUE,
    back_up,
    clear,
    decide,
    draw_obstacles,
    fill_path,
)


@compiled
def sweep(
    starts: Any, values: Any, actions: Any, figures: Any, spaces: Any, begin: Any, model: Any
) -> None:
    """One pass backward through the layers of every start's chain.

    Where `work` has two layers, the chains have a time limit and nothing is worth anything after
    it; else it has all P layers, and the pass goes on from what is in it.

    Args:
        starts: (N, K + 1) places on the patrols' cycles, and the move phase.
        values: (N, L, J, C), written; L is T + 1 with a limit of T ticks, else P.
        actions: (N, T or P, J, C), written.
        figures: (N, 4), written: VALUE to LENGTH at the start.
        spaces: path (T + 1 or P + 1, K), written, and work (2 or P, 4, J, C).
        begin: (2,) joint place and cell of the start.
        model: (agent, patrols, wanderers, rules, rewards, scratch).
    """
    (path, work), rules = spaces, model[3]
    layers, depth = actions.shape[1], work.shape[0]
    for n in range(starts.shape[0]):
        fill_path(path, starts[n], rules, model[1])
        if values.shape[1] > layers:
            work[layers % depth] = 0.0
            values[n, layers] = 0.0
        for t in range(layers - 1, -1, -1):
            turn = t % rules[PERIOD] == starts[n, starts.shape[1] - 1]
            following, now = work[(t + 1) % depth], work[t % depth]
            back_up(turn, path[t : t + 2], following, now, actions[n, t], model)
            values[n, t] = now[VALUE]
        figures[n] = work[0, :, begin[0], begin[1]]


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


@compiled
def action_values(
    starts: Any, slots: Any, layers: Any, places: Any, values: Any, q: Any, model: Any
) -> None:
    """The value of every action of every lane, from the tables of solved chains.

    Args:
        starts: (N, K + 1) of each lane's chain.
        slots: (N,) where its tables are.
        layers: (N,) in which layer it stands.
        places: (N, 2) joint place of the wanderers, and cell.
        values: (slots, L, J, C).
        q: (N, 5) written.
        model: as of `sweep`.
    """
    patrols, rules, scratch = model[1], model[3], model[5]
    length, shape = values.shape[1], (values.shape[2], values.shape[3])
    path = np.empty((length + 1, patrols.shape[0]), dtype=np.int64)
    following, now = np.zeros((4, *shape)), np.empty((4, *shape))
    chosen = np.empty(shape, dtype=np.int8)
    for n in range(starts.shape[0]):
        t, joint, cell = layers[n], places[n, 0], places[n, 1]
        fill_path(path[: t + 2], starts[n], rules, patrols)
        turn = t % rules[PERIOD] == starts[n, starts.shape[1] - 1]
        draws = draw_obstacles(joint, turn, path[t : t + 2], model[2], scratch)
        following[VALUE] = values[slots[n], (t + 1) % length]
        decide(cell, cell + 1, joint, draws, following, now, chosen, q[n], model)
        clear(draws, scratch)
