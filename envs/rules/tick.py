"""The rules of the world, compiled: how lanes restart and how they advance by one tick.

A lane is one world. Lanes stand side by side in arrays (a column a lane, the rows as `rows` has
them); the single environment is one lane. A tick is `move_agent`, then for every obstacle
`move_patrol` or `move_wanderer` and `count_hits`, then `settle`, all in `moves`.
"""

from typing import Any

import numpy as np

from .columns import BEGIN_HX as BEGIN_HX
from .columns import BEGIN_HY as BEGIN_HY
from .columns import BEGIN_X as BEGIN_X
from .columns import BEGIN_Y as BEGIN_Y
from .columns import BLOCK as BLOCK
from .columns import BOTTOM as BOTTOM
from .columns import COLLISION as COLLISION
from .columns import EPISODE as EPISODE
from .columns import FIRST as FIRST
from .columns import GOAL as GOAL
from .columns import GOAL_X as GOAL_X
from .columns import GOAL_Y as GOAL_Y
from .columns import HAS_WALLS as HAS_WALLS
from .columns import HEIGHT as HEIGHT
from .columns import HIT as HIT
from .columns import HIT_ENDS as HIT_ENDS
from .columns import HITS as HITS
from .columns import HITTING as HITTING
from .columns import KEY as KEY
from .columns import LANE_SITE as LANE_SITE
from .columns import LANE_TRACK as LANE_TRACK
from .columns import LEFT as LEFT
from .columns import MAX_TICKS as MAX_TICKS
from .columns import OLD_OX as OLD_OX
from .columns import OLD_OY as OLD_OY
from .columns import OLD_X as OLD_X
from .columns import OLD_Y as OLD_Y
from .columns import PERIOD as PERIOD
from .columns import PHASE as PHASE
from .columns import PLAYED as PLAYED
from .columns import RANDOM_STARTS as RANDOM_STARTS
from .columns import RIGHT as RIGHT
from .columns import SCRATCH_ROWS as SCRATCH_ROWS
from .columns import SEED as SEED
from .columns import START_X as START_X
from .columns import START_Y as START_Y
from .columns import SUCCESS as SUCCESS
from .columns import SWAP_HITS as SWAP_HITS
from .columns import TERMINATED as TERMINATED
from .columns import TICK as TICK
from .columns import TOP as TOP
from .columns import TRUNCATED as TRUNCATED
from .columns import WANDERS as WANDERS
from .columns import WIDTH as WIDTH
from .columns import X as X
from .columns import Y as Y
from .draws import at as at
from .draws import compiled as compiled
from .draws import draw as draw
from .draws import inlined as inlined
from .draws import mix as mix
from .moves import count_hits, move_agent, move_patrol, move_wanderer, settle, stop_at_walls
from .moves import i16 as i16


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
        state[PHASE, i] = draw(key, obstacles, np.int64(rules[PERIOD]))


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


@inlined
def play_block(
    action: Any,
    lanes: Any,
    begin: Any,
    end: Any,
    scratch: Any,
    level: Any,
    tables: Any,
    rules: Any,
    rewards: Any,
    result: Any,
) -> None:
    """One tick of a block of lanes that share a level.

    Tuples are free inside compiled code: `lanes` is (state, clock, streams), `tables` (sites,
    tracks, walls), `result` (reward, flags).
    """
    (state, _, _), (sites, tracks, walls) = lanes, tables
    site, track = sites[level], tracks[level]
    last_x, last_y = i16(site[WIDTH] - 1), i16(site[HEIGHT] - 1)
    move_agent(action, state, begin, end, scratch, last_x, last_y)
    if rules[HAS_WALLS]:
        stop_at_walls(state, begin, end, scratch, walls, level)
    for k in range(track.shape[0]):
        first, t = FIRST + 4 * k, track[k]
        if t[WANDERS]:
            move_wanderer(lanes, k, begin, end, scratch, tables, level)
        else:
            ends = (i16(t[LEFT]), i16(t[TOP]), i16(t[RIGHT]), i16(t[BOTTOM]))
            move_patrol(state, first, begin, end, scratch, ends)
        count_hits(state, first, begin, end, scratch, rules[SWAP_HITS] != 0)
    goal = (i16(site[GOAL_X]), i16(site[GOAL_Y]))
    settle(lanes, begin, end, scratch, goal, rules, rewards, result)


@inlined
def play_mixed_block(
    action: Any,
    lanes: Any,
    begin: Any,
    end: Any,
    scratch: Any,
    level: Any,
    tables: Any,
    rules: Any,
    rewards: Any,
    result: Any,
) -> None:
    """One tick of a block of lanes of any levels, `level` an array; the rest as of `play_block`.

    What depends on the level is gathered first, so that the moves stay loops over arrays.
    """
    (state, _, _), (sites, tracks, walls) = lanes, tables
    goal_x, goal_y = scratch[LANE_SITE], scratch[LANE_SITE + 1]
    last_x, last_y = scratch[LANE_SITE + 2], scratch[LANE_SITE + 3]
    for i in range(end - begin):
        site = level[i]
        goal_x[i], goal_y[i] = sites[site, GOAL_X], sites[site, GOAL_Y]
        last_x[i], last_y[i] = sites[site, WIDTH] - 1, sites[site, HEIGHT] - 1
    move_agent(action, state, begin, end, scratch, last_x, last_y)
    if rules[HAS_WALLS]:
        stop_at_walls(state, begin, end, scratch, walls, level)
    left, top = scratch[LANE_TRACK], scratch[LANE_TRACK + 1]
    right, bottom = scratch[LANE_TRACK + 2], scratch[LANE_TRACK + 3]
    for k in range(tracks.shape[1]):
        first, wanderers = FIRST + 4 * k, 0
        for i in range(end - begin):
            n = level[i]
            left[i], top[i] = tracks[n, k, LEFT], tracks[n, k, TOP]
            right[i], bottom[i] = tracks[n, k, RIGHT], tracks[n, k, BOTTOM]
            wanderers += tracks[n, k, WANDERS]
        move_patrol(state, first, begin, end, scratch, (left, top, right, bottom))
        if wanderers:
            move_wanderer(lanes, k, begin, end, scratch, tables, level)
        count_hits(state, first, begin, end, scratch, rules[SWAP_HITS] != 0)
    settle(lanes, begin, end, scratch, (goal_x, goal_y), rules, rewards, result)


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
    mixed: Any,
    reward: Any,
    flags: Any,
) -> int:
    """One tick of every lane; `reward` and `flags` are written, `ended` is brought up to date.

    `mixed` is `level_of`, or None where there is one level: then only that way is compiled.

    A lane that ended before begins its next episode instead (Gymnasium's NEXT_STEP): reward 0, no
    flag set. Who wants it otherwise restarts or refuses lanes that have ended before this call.

    Returns:
        How many lanes ended in this tick; or -1 - i where `action[i]` is out of range, and nothing
        was changed.
    """
    number, wrong = action.shape[0], np.int64(0)
    for i in range(number):
        wrong |= action[i] & ~np.int64(7) | (action[i] > 4)
    if wrong:
        for i in range(number):
            if action[i] < 0 or action[i] > 4:
                return -1 - i
    lanes, result, tables = (state, clock, streams), (reward, flags), (sites, tracks, walls)
    for begin in range(0, number, BLOCK):
        end = min(begin + BLOCK, number)
        if mixed is None:
            play_block(action, lanes, begin, end, scratch, 0, tables, rules, rewards, result)
        else:
            level = mixed[begin:end]
            play_mixed_block(
                action, lanes, begin, end, scratch, level, tables, rules, rewards, result
            )
    count, terminated, truncated = 0, flags[TERMINATED], flags[TRUNCATED]
    for i in range(number):
        if ended[i]:
            anew = np.int64(-1)  # the type that `restart` gives it: compiled once
            restart_lane(i, anew, lanes, level_of, sites, tracks, rules)
            reward[i] = 0.0
            for flag in range(flags.shape[0]):
                flags[flag, i] = False
        ended[i] = terminated[i] | truncated[i]
        count += ended[i]
    return int(count)
