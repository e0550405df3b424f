"""Backward induction over (tick, wanderers, cell), compiled.

Obstacles do not react, so from one start the patrols are a function of the tick alone: what is
left to decide is where the agent goes. A *chain* is that problem for one start. Its tables are
`values` (L, J, C) and `actions` (L, J, C): layer (the tick, or the tick modulo the patrols' common
period P), joint place of the wanderers, cell of the agent. The rules are those of `kernels.py`,
written a second time for one transition; tests hold the two together.

`model` goes through all functions: (agent, patrols, wanderers, rules, rewards, scratch).

- agent (C, 6): for each cell where the five actions lead, and its number on the map, along rows.
- patrols (K, 4) and wanderers (W, cells, 6) have the columns below.
- scratch is (before, after, count): the obstacles' cells before the tick (K,); after it for every
  draw of the wanderers, and in the last column their joint place (M, K + 1); and how many then
  stand on each cell of the map (M, H W).

A tuple of many arrays costs seconds of compiling in every function: hence so few.
"""

from typing import Any

import numpy as np

from sidestep.envs.rules.draws import compiled, inlined

ACTIONS = 5
CELL = 5
"""Column of `agent` after the five actions."""
FIRST, STRIDE, SPAN, CYCLE = 0, 1, 2, 3
"""Columns of `patrols`: first cell, step to the next, how many follow, and moves of a period."""
PLACE, SIZE = 4, 5
"""Columns of `wanderers` after its four neighbours: cell on the map; row 0: how many cells."""
PERIOD, SWAP_HITS, HIT_ENDS, GOAL_CELL = 0, 1, 2, 3
"""Entries of `rules` (int64)."""
GOAL, HITTING, TICK, DISCOUNT = 0, 1, 2, 3
"""Entries of `rewards` (float64)."""
VALUE, RETURN, SUCCESS, LENGTH = 0, 1, 2, 3
"""What is known of a policy from a state on: discounted return, plain return, and the chance of
reaching the goal and the number of ticks, both expected."""
TIE = 1e-12
"""Relative difference of values that rounding can make."""


@inlined
def fill_path(path: Any, start: Any, rules: Any, patrols: Any) -> None:
    """The cell of every patrol at every tick, (ticks, K), from `start` (K + 1,) on."""
    period, last = rules[PERIOD], patrols.shape[0]
    for k in range(last):
        place, wait = int(start[k]), int(start[last])
        first, stride = patrols[k, FIRST], patrols[k, STRIDE]
        span, cycle = patrols[k, SPAN], patrols[k, CYCLE]
        for t in range(path.shape[0]):
            along = place if place <= span else 2 * span - place
            path[t, k] = first + stride * along
            if wait == 0:
                place = place + 1 if place + 1 < cycle else 0
            wait = period - 1 if wait == 0 else wait - 1


@inlined
def draw_obstacles(joint: Any, turn: Any, paths: Any, wanderers: Any, scratch: Any) -> int:
    """Write into `scratch` where obstacles stand before and after one tick.

    Args:
        joint: place of the wanderers before the tick.
        turn: whether obstacles move in this tick.
        paths: (2, K) cells of the patrols before and after it.
        wanderers: see the module.
        scratch: written; `count` must be all 0, and `clear` makes it so again.

    Returns:
        The number of draws M, equally likely.
    """
    before, after, count = scratch
    patrols, number = paths.shape[1], wanderers.shape[0]
    draws, rest = 1, joint
    for w in range(number - 1, -1, -1):
        before[patrols + w] = rest % wanderers[w, 0, SIZE]  # an index for now; a cell below
        rest //= wanderers[w, 0, SIZE]
        if turn:
            draws *= 4
    for m in range(draws):
        digits, place = m, 0
        for w in range(number):
            at = before[patrols + w]
            if turn:
                at = wanderers[w, at, digits & 3]
                digits >>= 2
            after[m, patrols + w] = wanderers[w, at, PLACE]
            place = place * wanderers[w, 0, SIZE] + at
        after[m, patrols + number] = place
        for k in range(patrols):
            after[m, k] = paths[1, k]
        for k in range(patrols + number):
            count[m, after[m, k]] += 1
    for k in range(patrols):
        before[k] = paths[0, k]
    for w in range(number):
        before[patrols + w] = wanderers[w, before[patrols + w], PLACE]
    return draws


@inlined
def clear(draws: Any, scratch: Any) -> None:
    """Take the obstacles off `count` again."""
    before, after, count = scratch
    for m in range(draws):
        for k in range(before.shape[0]):
            count[m, after[m, k]] = 0


@inlined
def copy(source: Any, to: Any) -> None:
    """Write `source` (J, C) to `to`; `to[:] = source` compiles seconds of words for its errors."""
    for joint in range(source.shape[0]):
        for cell in range(source.shape[1]):
            to[joint, cell] = source[joint, cell]


@inlined
def decide(
    first: Any,
    last: Any,
    joint: Any,
    draws: Any,
    following: Any,
    now: Any,
    actions: Any,
    q: Any,
    model: Any,
) -> None:
    """The best actions at cells `first` to `last` - 1, the wanderers at one joint place.

    Among actions of equal value the one with fewer expected ticks wins, then the lower one.

    Args:
        first: first cell.
        last: the cell after the last.
        joint: place of the wanderers.
        draws: of `draw_obstacles`.
        following: (4, J, C) figures after the tick.
        now: (4, J, C) figures before it, written.
        actions: (J, C) written.
        q: (5,) written, the action values of the last cell.
        model: see the module.
    """
    agent, _, _, rules, rewards, (before, after, count) = model
    swap_hits, hit_ends, goal = rules[SWAP_HITS], rules[HIT_ENDS], rules[GOAL_CELL]
    goal_reward, hit_reward, tick_reward = rewards[GOAL], rewards[HITTING], rewards[TICK]
    discount, share, obstacles = rewards[DISCOUNT], 1.0 / draws, before.shape[0]
    for cell in range(first, last):
        here, chosen, top = agent[cell, CELL], 0, -np.inf
        value, total, success, length = -np.inf, 0.0, 0.0, 0.0
        for action in range(ACTIONS):
            to = agent[cell, action]
            there = agent[to, CELL]
            v, u, s, n = 0.0, 0.0, 0.0, float(draws)
            for m in range(draws):
                hits = np.int64(count[m, there])
                if swap_hits != 0 and here != there and count[m, here] > 0:
                    for k in range(obstacles):
                        hits += (after[m, k] == here) & (before[k] == there)
                ends = hit_ends != 0 and hits > 0
                wins = there == goal and not ends
                gain = tick_reward + goal_reward * wins + hit_reward * (1 if ends else hits)
                v, u, s = v + gain, u + gain, s + wins
                if not (ends or wins):
                    place = after[m, obstacles]
                    v += discount * following[VALUE, place, to]
                    u += following[RETURN, place, to]
                    s += following[SUCCESS, place, to]
                    n += following[LENGTH, place, to]
            v, u, s, n = v * share, u * share, s * share, n * share
            equal = abs(v - value) <= TIE * (abs(v) + abs(goal_reward) + abs(tick_reward))
            if (v > value and not equal) or (equal and n < length * (1.0 - 1e-9)):
                chosen, value, total, success, length = action, v, u, s, n
            q[action], top = v, max(top, v)
        now[VALUE, joint, cell], now[RETURN, joint, cell] = top, total
        now[SUCCESS, joint, cell], now[LENGTH, joint, cell] = success, length
        actions[joint, cell] = chosen


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
    (path, work), rules, scratch, q = spaces, model[3], model[5], np.empty(ACTIONS)
    layers, depth = actions.shape[1], work.shape[0]
    for n in range(starts.shape[0]):
        fill_path(path, starts[n], rules, model[1])
        if values.shape[1] > layers:
            for joint in range(values.shape[2]):
                for cell in range(values.shape[3]):
                    values[n, layers, joint, cell] = 0.0
                    for figure in range(work.shape[1]):
                        work[layers % depth, figure, joint, cell] = 0.0
        for t in range(layers - 1, -1, -1):
            turn = t % rules[PERIOD] == starts[n, starts.shape[1] - 1]
            following, now = work[(t + 1) % depth], work[t % depth]
            for joint in range(now.shape[1]):
                draws = draw_obstacles(joint, turn, path[t : t + 2], model[2], scratch)
                decide(0, now.shape[2], joint, draws, following, now, actions[n, t], q, model)
                clear(draws, scratch)
            copy(now[VALUE], values[n, t])
        for figure in range(figures.shape[1]):
            figures[n, figure] = work[0, figure, begin[0], begin[1]]


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
        copy(values[slots[n], (t + 1) % length], following[VALUE])
        decide(cell, cell + 1, joint, draws, following, now, chosen, q[n], model)
        clear(draws, scratch)
