"""The rules of the world, compiled: how lanes restart and how they advance by one tick.

A lane is one world. Lanes stand side by side in arrays (a column a lane), so that loops over lanes
become vector instructions; the single environment is one lane. A tick is `move_agent`, then for
every obstacle `move_patrol` or `move_wanderer` and `count_hits`, then `settle`. Moves are
arithmetic instead of branches because one mispredicted branch costs more than the whole move.

Rows of `state` (int16): X, Y of the agent; PHASE, the ticks until the obstacles move (0: in the
coming tick); HIT, whether the agent was hit in this episode; then for obstacle k its x, y and
heading (hx, hy), from row FIRST + 4 k on. `clock` (int32) counts the episode's ticks. `streams`
(uint64) holds SEED, EPISODE and KEY, the lane's random stream, a function of the first two alone.
"""

from typing import Any

import numpy as np

from .streams import compiled as compiled
from .streams import draw as draw
from .streams import mix as mix

X, Y, PHASE, HIT, FIRST = 0, 1, 2, 3, 4
SEED, EPISODE, KEY = 0, 1, 2
TERMINATED, TRUNCATED, SUCCESS, COLLISION, PLAYED = 0, 1, 2, 3, 4
"""Rows of `flags`: how the tick ended; PLAYED is False where the lane restarted instead."""
START_X, START_Y, GOAL_X, GOAL_Y, WIDTH, HEIGHT = 0, 1, 2, 3, 4, 5
"""Columns of `sites`, a row a level."""
LEFT, TOP, RIGHT, BOTTOM, BEGIN_X, BEGIN_Y, BEGIN_HX, BEGIN_HY, WANDERS = range(9)
"""Columns of `tracks`, a row an obstacle, a page a level."""
PERIOD, RANDOM_STARTS, SWAP_HITS, HIT_ENDS, HAS_WALLS, MAX_TICKS = range(6)
"""Entries of `rules` (int32)."""
GOAL, HITTING, TICK = 0, 1, 2
"""Entries of `rewards` (float64): for the goal, for a hit, on every tick."""
OLD_X, OLD_Y, OLD_OX, OLD_OY, HITS = 0, 1, 2, 3, 4
"""Rows of `scratch`: where agent and obstacle stood before the tick, and the hits of this tick."""
BLOCK = 256
"""Most lanes handled together, so that their rows stay in the first-level cache."""

i16 = np.int16


@compiled
def restart_lane(
    i: Any, wanted: Any, lanes: Any, level_of: Any, sites: Any, tracks: Any, rules: Any
) -> None:
    """Begin the next episode of lane i; without row views, which would cost atomic counts.

    On the level `wanted`, or where that is negative on one that the lane's stream draws.
    """
    state, clock, streams = lanes
    episode = streams[EPISODE, i] + np.uint64(1)
    key = mix(mix(streams[SEED, i]) + episode * np.uint64(0xD1342543DE82EF95))
    streams[EPISODE, i], streams[KEY, i] = episode, key
    clock[i], obstacles = 0, tracks.shape[1]
    if sites.shape[0] > 1:
        level_of[i] = draw(key, obstacles + 1, sites.shape[0]) if wanted < 0 else wanted
    level = level_of[i]
    state[X, i], state[Y, i] = sites[level, START_X], sites[level, START_Y]
    state[PHASE, i], state[HIT, i] = 0, 0
    for k in range(obstacles):
        x, y = tracks[level, k, BEGIN_X], tracks[level, k, BEGIN_Y]
        hx, hy = tracks[level, k, BEGIN_HX], tracks[level, k, BEGIN_HY]
        if rules[RANDOM_STARTS]:  # a wanderer's track is its own cell, and it has no heading
            left, top = tracks[level, k, LEFT], tracks[level, k, TOP]
            right, bottom = tracks[level, k, RIGHT], tracks[level, k, BOTTOM]
            length = (right - left) + (bottom - top) + 1
            choice = draw(key, k, 2 * length)
            sign = 1 - 2 * (choice & 1)
            x, y = left + (choice >> 1) * abs(hx), top + (choice >> 1) * abs(hy)
            hx, hy = sign * hx, sign * hy
        row = FIRST + 4 * k
        state[row, i], state[row + 1, i] = x, y
        state[row + 2, i], state[row + 3, i] = hx, hy
    if rules[RANDOM_STARTS]:
        state[PHASE, i] = draw(key, obstacles, rules[PERIOD])


@compiled
def restart(
    chosen: Any,
    wanted: Any,
    state: Any,
    clock: Any,
    streams: Any,
    level_of: Any,
    sites: Any,
    tracks: Any,
    rules: Any,
) -> None:
    """Begin the next episode of every lane i with `chosen[i]`, on the level `wanted[i]`."""
    for i in range(chosen.shape[0]):
        if chosen[i]:
            lanes = (state, clock, streams)
            restart_lane(i, wanted[i], lanes, level_of, sites, tracks, rules)


@compiled
def move_agent(action: Any, state: Any, begin: Any, end: Any, scratch: Any, site: Any) -> None:
    """Move the agents of a block one cell, not over the edge.

    Actions: 0 up, 1 down, 2 right, 3 left, 4 stay.
    """
    x, y, a = state[X, begin:end], state[Y, begin:end], action[begin:end]
    old_x, old_y, hits = scratch[OLD_X], scratch[OLD_Y], scratch[HITS]
    last_x, last_y = i16(site[WIDTH] - 1), i16(site[HEIGHT] - 1)
    for i in range(a.shape[0]):
        old_x[i], old_y[i], hits[i] = x[i], y[i], 0
        nx = i16(x[i] + i16(a[i] == 2) - i16(a[i] == 3))
        ny = i16(y[i] + i16(a[i] == 1) - i16(a[i] == 0))
        x[i], y[i] = min(max(nx, i16(0)), last_x), min(max(ny, i16(0)), last_y)


@compiled
def stop_at_walls(state: Any, begin: Any, end: Any, scratch: Any, wall: Any) -> None:
    """Put agents that entered a wall back where they came from."""
    x, y = state[X, begin:end], state[Y, begin:end]
    old_x, old_y = scratch[OLD_X], scratch[OLD_Y]
    for i in range(x.shape[0]):
        if wall[y[i], x[i]]:
            x[i], y[i] = old_x[i], old_y[i]


@compiled
def move_patrol(state: Any, first: Any, begin: Any, end: Any, scratch: Any, t: Any) -> None:
    """Move a patrol: turn round at the end of its track, then one cell along the heading.

    A patrol with nowhere to go (a track of one cell) keeps its cell and its heading.
    """
    x, y = state[first, begin:end], state[first + 1, begin:end]
    hx, hy = state[first + 2, begin:end], state[first + 3, begin:end]
    phase, old_x, old_y = state[PHASE, begin:end], scratch[OLD_OX], scratch[OLD_OY]
    left, top, right, bottom = i16(t[LEFT]), i16(t[TOP]), i16(t[RIGHT]), i16(t[BOTTOM])
    free = i16((left != right) | (top != bottom))
    for i in range(x.shape[0]):
        px, py, vx, vy = x[i], y[i], hx[i], hy[i]
        nx, ny = i16(px + vx), i16(py + vy)
        blocked = i16((nx < left) | (nx > right) | (ny < top) | (ny > bottom))
        moves = i16(i16(phase[i] == 0) * free)
        sign = i16(i16(1) - i16(2) * i16(moves * blocked))
        vx, vy = i16(vx * sign), i16(vy * sign)
        old_x[i], old_y[i], hx[i], hy[i] = px, py, vx, vy
        x[i], y[i] = i16(px + i16(vx * moves)), i16(py + i16(vy * moves))


@compiled
def move_wanderer(lanes: Any, first: Any, begin: Any, end: Any, scratch: Any, place: Any) -> None:
    """Move a wanderer to a uniformly drawn neighbour cell; it stays where that one is blocked."""
    state, clock, streams = lanes
    site, _, wall = place
    x, y, phase = state[first, begin:end], state[first + 1, begin:end], state[PHASE, begin:end]
    key, ticks = streams[KEY, begin:end], clock[begin:end]
    old_x, old_y = scratch[OLD_OX], scratch[OLD_OY]
    for i in range(x.shape[0]):
        old_x[i], old_y[i] = x[i], y[i]
        if phase[i] == 0:
            # the restart uses fewer counters than there are rows
            a = draw(key[i], (np.int64(ticks[i]) + 1) * state.shape[0] + first, 4)
            nx, ny = x[i] + (a == 2) - (a == 3), y[i] + (a == 1) - (a == 0)
            inside = (nx >= 0) & (nx < site[WIDTH]) & (ny >= 0) & (ny < site[HEIGHT])
            if inside and not wall[ny, nx]:
                x[i], y[i] = nx, ny


@compiled
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


@compiled
def settle(
    lanes: Any, begin: Any, end: Any, scratch: Any, site: Any, rules: Any, rewards: Any, result: Any
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
    played, gained = flags[PLAYED, begin:end], reward[begin:end]
    goal_x, goal_y, hit_ends = i16(site[GOAL_X]), i16(site[GOAL_Y]), rules[HIT_ENDS] != 0
    last_phase, limit = i16(rules[PERIOD] - 1), rules[MAX_TICKS]
    goal_reward, hit_reward, step_reward = rewards[GOAL], rewards[HITTING], rewards[TICK]
    for i in range(x.shape[0]):
        struck = hits[i] > 0
        ends = struck & hit_ends
        success = (x[i] == goal_x) & (y[i] == goal_y) & (not ends)
        hit[i] |= i16(struck)
        ticks[i] += np.int32(1)
        phase[i] = last_phase if phase[i] == 0 else i16(phase[i] - i16(1))
        counted = min(hits[i], i16(1)) if hit_ends else hits[i]
        gained[i] = step_reward + goal_reward * success + hit_reward * counted
        terminated[i] = success | ends
        truncated[i] = ticks[i] >= limit
        succeeded[i] = success
        collided[i] = hit[i] != 0
        played[i] = True


@compiled
def block_end(begin: Any, level_of: Any, levels: Any) -> int:
    """Where the block of lanes from `begin` on ends: at most BLOCK lanes, all of one level."""
    end = min(begin + BLOCK, level_of.shape[0])
    if levels > 1:
        for i in range(begin + 1, end):
            if level_of[i] != level_of[begin]:
                return int(i)
    return int(end)


@compiled
def advance_block(
    action: Any,
    lanes: Any,
    begin: Any,
    end: Any,
    scratch: Any,
    place: Any,
    rules: Any,
    rewards: Any,
    result: Any,
) -> None:
    """One tick of a block of lanes that share a level.

    Tuples are free inside compiled code: `lanes` is (state, clock, streams), `place` the level's
    (site, track, wall), `result` (reward, flags).
    """
    (state, _, _), (site, track, wall) = lanes, place
    move_agent(action, state, begin, end, scratch, site)
    if rules[HAS_WALLS]:
        stop_at_walls(state, begin, end, scratch, wall)
    for k in range(track.shape[0]):
        first = FIRST + 4 * k
        if track[k, WANDERS]:
            move_wanderer(lanes, first, begin, end, scratch, place)
        else:
            move_patrol(state, first, begin, end, scratch, track[k])
        count_hits(state, first, begin, end, scratch, rules[SWAP_HITS] != 0)
    settle(lanes, begin, end, scratch, site, rules, rewards, result)


@compiled
def advance(
    action: Any,
    state: Any,
    clock: Any,
    streams: Any,
    ended: Any,
    level_of: Any,
    sites: Any,
    tracks: Any,
    walls: Any,
    rules: Any,
    rewards: Any,
    scratch: Any,
    reward: Any,
    flags: Any,
) -> int:
    """One tick of every lane; `reward` and `flags` are written, `ended` is brought up to date.

    A lane that ended before begins its next episode instead (Gymnasium's NEXT_STEP): reward 0, no
    flag set. Who wants it otherwise restarts or refuses lanes that have ended before this call.

    Returns:
        How many lanes ended in this tick; or -1 - i where `action[i]` is out of range, and nothing
        was changed.
    """
    number, end, wrong = action.shape[0], np.int64(0), np.int64(0)
    for i in range(number):
        wrong |= action[i] & ~np.int64(7) | (action[i] > 4)
    if wrong:
        for i in range(number):
            if action[i] < 0 or action[i] > 4:
                return -1 - i
    lanes, result = (state, clock, streams), (reward, flags)
    while end < number:
        begin, level = end, level_of[end]
        end = np.int64(block_end(begin, level_of, sites.shape[0]))
        place = (sites[level], tracks[level], walls[level])
        advance_block(action, lanes, begin, end, scratch, place, rules, rewards, result)
    count, terminated, truncated = 0, flags[TERMINATED], flags[TRUNCATED]
    for i in range(number):
        if ended[i]:
            restart_lane(i, -1, lanes, level_of, sites, tracks, rules)
            reward[i] = 0.0
            for flag in range(flags.shape[0]):
                flags[flag, i] = False
        ended[i] = terminated[i] | truncated[i]
        count += ended[i]
    return int(count)
