"""The moves of a tick, compiled: agent, patrols, wanderers, hits, and what they amount to.

Each goes over a block of lanes, a column a lane, as a loop over arrays that becomes vector
instructions. Moves are arithmetic instead of branches because one mispredicted branch costs more
than the whole move. What depends on the level is a number where all lanes share one, else an array
over lanes (`at`).
"""

from typing import Any

import numpy as np

from .columns import (
    ALSO_PLAYED,
    COLLISION,
    FIRST,
    GOAL,
    HEIGHT,
    HIT,
    HIT_ENDS,
    HITS,
    HITTING,
    KEY,
    MAX_TICKS,
    OLD_OX,
    OLD_OY,
    OLD_X,
    OLD_Y,
    PERIOD,
    PHASE,
    PLAYED,
    SUCCESS,
    TERMINATED,
    TICK,
    TRUNCATED,
    WANDERS,
    WIDTH,
    X,
    Y,
)
from .draws import at, draw, inlined

i16 = np.int16


@inlined
def move_agent(
    action: Any, state: Any, begin: Any, end: Any, scratch: Any, last_x: Any, last_y: Any
) -> None:
    """Move the agents of a block one cell, not over the edge.

    Actions: 0 up, 1 down, 2 right, 3 left, 4 stay.
    """
    x, y, a = state[X, begin:end], state[Y, begin:end], action[begin:end]
    old_x, old_y, hits = scratch[OLD_X], scratch[OLD_Y], scratch[HITS]
    for i in range(a.shape[0]):
        old_x[i], old_y[i], hits[i] = x[i], y[i], 0
        nx = i16(x[i] + i16(a[i] == 2) - i16(a[i] == 3))
        ny = i16(y[i] + i16(a[i] == 1) - i16(a[i] == 0))
        x[i], y[i] = min(max(nx, i16(0)), at(last_x, i)), min(max(ny, i16(0)), at(last_y, i))


@inlined
def stop_at_walls(state: Any, begin: Any, end: Any, scratch: Any, walls: Any, level: Any) -> None:
    """Put agents that entered a wall back where they came from."""
    x, y = state[X, begin:end], state[Y, begin:end]
    old_x, old_y = scratch[OLD_X], scratch[OLD_Y]
    for i in range(x.shape[0]):
        if walls[at(level, i), y[i], x[i]]:
            x[i], y[i] = old_x[i], old_y[i]


@inlined
def move_patrol(state: Any, first: Any, begin: Any, end: Any, scratch: Any, track: Any) -> None:
    """Move a patrol: turn round at the end of its track, then one cell along the heading.

    A patrol with nowhere to go (a track of one cell) keeps its cell and its heading. So does a
    wanderer, whose track is its own cell.
    """
    x, y = state[first, begin:end], state[first + 1, begin:end]
    hx, hy = state[first + 2, begin:end], state[first + 3, begin:end]
    phase, old_x, old_y = state[PHASE, begin:end], scratch[OLD_OX], scratch[OLD_OY]
    lefts, tops, rights, bottoms = track
    for i in range(x.shape[0]):
        left, top, right, bottom = at(lefts, i), at(tops, i), at(rights, i), at(bottoms, i)
        free = i16((left != right) | (top != bottom))
        px, py, vx, vy = x[i], y[i], hx[i], hy[i]
        nx, ny = i16(px + vx), i16(py + vy)
        blocked = i16((nx < left) | (nx > right) | (ny < top) | (ny > bottom))
        moves = i16(i16(phase[i] == 0) * free)
        sign = i16(i16(1) - i16(2) * i16(moves * blocked))
        vx, vy = i16(vx * sign), i16(vy * sign)
        old_x[i], old_y[i], hx[i], hy[i] = px, py, vx, vy
        x[i], y[i] = i16(px + i16(vx * moves)), i16(py + i16(vy * moves))


@inlined
def move_wanderer(
    lanes: Any, k: Any, begin: Any, end: Any, scratch: Any, tables: Any, level: Any
) -> None:
    """Move obstacle k, where it is a wanderer, to a uniformly drawn neighbour cell.

    It stays where that one is blocked.
    """
    (state, clock, streams), (sites, tracks, walls), first = lanes, tables, FIRST + 4 * k
    x, y, phase = state[first, begin:end], state[first + 1, begin:end], state[PHASE, begin:end]
    key, ticks = streams[KEY, begin:end], clock[begin:end]
    old_x, old_y = scratch[OLD_OX], scratch[OLD_OY]
    for i in range(x.shape[0]):
        n = at(level, i)
        if tracks[n, k, WANDERS]:
            old_x[i], old_y[i] = x[i], y[i]
        if phase[i] == 0 and tracks[n, k, WANDERS]:
            # the restart uses fewer counters than there are rows
            a = draw(key[i], (np.int64(ticks[i]) + 1) * state.shape[0] + first, 4)
            nx, ny = x[i] + (a == 2) - (a == 3), y[i] + (a == 1) - (a == 0)
            inside = (nx >= 0) & (nx < sites[n, WIDTH]) & (ny >= 0) & (ny < sites[n, HEIGHT])
            if inside and not walls[n, ny, nx]:
                x[i], y[i] = nx, ny


@inlined
def count_hits(state: Any, first: Any, begin: Any, end: Any, scratch: Any, swap_hits: Any) -> None:
    """Count a hit where the obstacle ends on the agent's cell, or has swapped cells with it."""
    ax, ay = state[X, begin:end], state[Y, begin:end]
    x, y = state[first, begin:end], state[first + 1, begin:end]
    from_ax, from_ay, hits = scratch[OLD_X], scratch[OLD_Y], scratch[HITS]
    from_x, from_y = scratch[OLD_OX], scratch[OLD_OY]
    for i in range(x.shape[0]):
        same = (x[i] == ax[i]) & (y[i] == ay[i])
        met = (x[i] == from_ax[i]) & (y[i] == from_ay[i])
        swapped = met & (from_x[i] == ax[i]) & (from_y[i] == ay[i]) & swap_hits
        hits[i] += i16(same | swapped)


@inlined
def settle(
    lanes: Any, begin: Any, end: Any, scratch: Any, goal: Any, rules: Any, rewards: Any, result: Any
) -> None:
    """End the tick: goal, hits, time limit, reward, and the obstacles' phase.

    Where hits end the episode one hit counts, and a hit on the goal is no success; where they do
    not, every obstacle that hits counts.
    """
    (state, clock, _), (reward, flags) = lanes, result
    x, y, hits = state[X, begin:end], state[Y, begin:end], scratch[HITS]
    phase, hit, ticks = state[PHASE, begin:end], state[HIT, begin:end], clock[begin:end]
    terminated, truncated = flags[TERMINATED, begin:end], flags[TRUNCATED, begin:end]
    succeeded, collided = flags[SUCCESS, begin:end], flags[COLLISION, begin:end]
    played, also_played = flags[PLAYED, begin:end], flags[ALSO_PLAYED, begin:end]
    gained = reward[begin:end]
    (goal_x, goal_y), hit_ends = goal, rules[HIT_ENDS] != 0
    last_phase, limit = i16(rules[PERIOD] - 1), rules[MAX_TICKS]
    # not `min(hits[i], 1) if hit_ends else hits[i]` in the loop: LLVM 22 vectorises that wrongly
    # under numba's bounds checks
    most = i16(1) if hit_ends else i16(32767)
    goal_reward, hit_reward, step_reward = rewards[GOAL], rewards[HITTING], rewards[TICK]
    for i in range(x.shape[0]):
        struck = hits[i] > 0
        ends = struck & hit_ends
        success = (x[i] == at(goal_x, i)) & (y[i] == at(goal_y, i)) & (not ends)
        hit[i] |= i16(struck)
        ticks[i] += np.int32(1)
        phase[i] = last_phase if phase[i] == 0 else i16(phase[i] - i16(1))
        gained[i] = step_reward + goal_reward * success + hit_reward * min(hits[i], most)
        terminated[i] = success | ends
        truncated[i] = ticks[i] >= limit
        succeeded[i] = success
        collided[i] = hit[i] != 0
        played[i], also_played[i] = True, True
