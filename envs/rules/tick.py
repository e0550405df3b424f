"""The rules of the world, compiled: how lanes restart and how they advance by one tick.

A lane is one world. Lanes stand side by side in arrays (a column a lane, the rows as `rows` has
them); the single environment is one lane. A tick is `move_agent`, then for every obstacle
`move_patrol` or `move_wanderer` and `count_hits`, then `settle`, all in `moves`.
"""

from typing import Any

import numpy as np

from .columns import ALSO_PLAYED as ALSO_PLAYED
from .columns import BEGIN_HX as BEGIN_HX
from .columns import BEGIN_HY as BEGIN_HY
from .columns import BEGIN_X as BEGIN_X
from .columns import BEGIN_Y as BEGIN_Y
from .columns import BLOCK as BLOCK
from .columns import BOTTOM as BOTTOM
from .columns import COLLISION as COLLISION
from .columns import EPISODE as EPISODE
from .columns import FIRST as FIRST
from .columns import FLAGS as FLAGS
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
from .columns import SITE as SITE
from .columns import START_X as START_X
from .columns import START_Y as START_Y
from .columns import SUCCESS as SUCCESS
from .columns import SWAP_HITS as SWAP_HITS
from .columns import TERMINATED as TERMINATED
from .columns import TICK as TICK
from .columns import TOP as TOP
from .columns import TRACK as TRACK
from .columns import TRUNCATED as TRUNCATED
from .columns import WANDERS as WANDERS
from .columns import WHICH as WHICH
from .columns import WIDTH as WIDTH
from .columns import X as X
from .columns import Y as Y
from .draws import at as at
from .draws import compiled as compiled
from .draws import draw as draw
from .draws import inlined as inlined
from .draws import mix as mix
from .memory import cut_lanes, cut_rules, cut_tables
from .moves import count_hits, move_agent, move_patrol, move_wanderer, settle, stop_at_walls
from .moves import i16 as i16


@compiled
def restart_lanes(
    begin: Any, number: Any, lanes: Any, scratch: Any, level_of: Any, tables: Any, rules: Any
) -> None:
    """Begin the next episode of `number` lanes of a block, which `scratch[WHICH]` names.

    On the level that `level_of` says; where that is negative on one that the lane's stream draws.
    A loop over lanes for every number that is set, which fills the processor better than one over
    everything of a lane.
    """
    (state, clock, streams), (sites, tracks, _), which = lanes, tables, scratch[WHICH]
    seeds, episodes, keys = streams[SEED], streams[EPISODE], streams[KEY]
    px, py, phase, hit = state[X], state[Y], state[PHASE], state[HIT]
    obstacles, random = tracks.shape[1], rules[RANDOM_STARTS] != 0
    for j in range(number):
        i = begin + which[j]
        episodes[i] += np.uint64(1)
        keys[i] = mix(mix(seeds[i]) + episodes[i] * np.uint64(0xD1342543DE82EF95))
        clock[i], phase[i], hit[i] = 0, 0, 0
        if level_of[i] < 0:
            level_of[i] = draw(keys[i], obstacles + 1, sites.shape[0])
        px[i], py[i] = sites[level_of[i], START_X], sites[level_of[i], START_Y]
        if random:
            phase[i] = draw(keys[i], obstacles, np.int64(rules[PERIOD]))
    for k in range(obstacles):
        row = FIRST + 4 * k
        ox, oy, hx, hy = state[row], state[row + 1], state[row + 2], state[row + 3]
        for j in range(number):
            i = begin + which[j]
            t = tracks[level_of[i], k]
            if random:  # a wanderer's track is its own cell, and it has no heading
                length = (t[RIGHT] - t[LEFT]) + (t[BOTTOM] - t[TOP]) + 1
                choice = draw(keys[i], k, 2 * length)
                sign = 1 - 2 * (choice & 1)
                ox[i] = t[LEFT] + (choice >> 1) * abs(t[BEGIN_HX])
                oy[i] = t[TOP] + (choice >> 1) * abs(t[BEGIN_HY])
                hx[i], hy[i] = sign * t[BEGIN_HX], sign * t[BEGIN_HY]
            else:
                ox[i], oy[i] = t[BEGIN_X], t[BEGIN_Y]
                hx[i], hy[i] = t[BEGIN_HX], t[BEGIN_HY]


@inlined
def list_lanes(chosen: Any, begin: Any, end: Any, which: Any) -> Any:
    """Write into `which` the chosen lanes of a block, counted from its first; returns how many.

    Each is written and then counted or not, since a branch would be mispredicted too often.
    """
    number = 0
    for i in range(end - begin):
        which[number] = i
        number += chosen[begin + i] != 0
    return number


@compiled
def restart(chosen: Any, wanted: Any, memory: Any, settings: Any, tables: Any) -> None:
    """Begin the next episode of every lane i with `chosen[i]`, on the level `wanted[i]`.

    Args:
        chosen: (lanes,) bool.
        wanted: (lanes,) int64, negative for a level that the lane's stream draws.
        memory: of the lanes, as `lane_arrays` cuts it.
        settings: as `rule_arrays` cuts them.
        tables: as `table_arrays` cuts them.
    """
    _, rules, _, sizes = cut_rules(settings)
    number, parts = chosen.shape[0], cut_lanes(memory, chosen.shape[0], np.int64(sizes[1]))
    streams, clock, level_of, state, scratch, ended = parts
    lanes, cut = (state, clock, streams), cut_tables(tables, sizes)
    for begin in range(0, number, BLOCK):
        end = min(begin + BLOCK, number)
        count = list_lanes(chosen, begin, end, scratch[WHICH])
        for j in range(count if sizes[0] > 1 else 0):
            i = begin + scratch[WHICH, j]
            level_of[i] = wanted[i]
        restart_lanes(np.int64(begin), np.int64(count), lanes, scratch, level_of, cut, rules)
        for i in range(begin, end):
            ended[i] &= np.uint8(chosen[i] == 0)


@inlined
def play_block(
    action: Any,
    lanes: Any,
    begin: Any,
    end: Any,
    scratch: Any,
    level_of: Any,
    tables: Any,
    rules: Any,
    rewards: Any,
    result: Any,
) -> None:
    """One tick of a block of lanes that share a level; `level_of` is not looked at.

    Tuples are free inside compiled code: `lanes` is (state, clock, streams), `tables` (sites,
    tracks, walls), `result` (reward, flags).
    """
    (state, _, _), (sites, tracks, walls), level = lanes, tables, 0
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
    level_of: Any,
    tables: Any,
    rules: Any,
    rewards: Any,
    result: Any,
) -> None:
    """One tick of a block of lanes of any levels; the rest as of `play_block`.

    What depends on the level is gathered first, so that the moves stay loops over arrays.
    """
    (state, _, _), (sites, tracks, walls), level = lanes, tables, level_of[begin:end]
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


@inlined
def wrong_action(action: Any) -> Any:
    """The first lane with an action out of range; -1 where there is none."""
    wrong = np.int64(0)
    for i in range(action.shape[0]):
        wrong |= action[i] & ~np.int64(7) | (action[i] > 4)
    if wrong:
        for i in range(action.shape[0]):
            if action[i] < 0 or action[i] > 4:
                return i
    return -1


def _advance_with(play: Any) -> Any:
    """Compile `advance`, once for all observations.

    Args:
        play: one tick of a block of lanes: `play_block`, or `play_mixed_block`.
    """

    def advance(
        action: Any,
        lanes: Any,
        ended: Any,
        scratch: Any,
        level_of: Any,
        tables: Any,
        rules: Any,
        rewards: Any,
        result: Any,
    ) -> Any:
        """One tick of every lane; `result` is written, `ended` is brought up to date.

        A lane that ended before begins its next episode instead (Gymnasium's NEXT_STEP): reward 0,
        no flag set. Who wants it otherwise restarts or refuses lanes that have ended before this
        call.

        Returns:
            How many lanes ended in this tick.
        """
        number, count, which = action.shape[0], np.int64(0), scratch[WHICH]
        reward, flags = result
        terminated, truncated = flags[TERMINATED], flags[TRUNCATED]
        drawn = -1 if tables[0].shape[0] > 1 else 0
        for begin in range(0, number, BLOCK):
            end = min(begin + BLOCK, number)
            play(action, lanes, begin, end, scratch, level_of, tables, rules, rewards, result)
            again = list_lanes(ended, begin, end, which)
            for j in range(again):
                reward[begin + which[j]] = 0.0
                level_of[begin + which[j]] = drawn
            restart_lanes(np.int64(begin), np.int64(again), lanes, scratch, level_of, tables, rules)
            for flag in range(FLAGS if again else 0):
                row = flags[flag]
                for j in range(again):
                    row[begin + which[j]] = False
            for i in range(begin, end):
                over = np.uint8(terminated[i]) | np.uint8(truncated[i])
                ended[i] = over
                count += np.int64(over)
        return count

    advance.__qualname__ = f"advance.{play.__name__}"
    return compiled(advance)


advance_one = _advance_with(play_block)
"""Where there is one level."""
advance_several = _advance_with(play_mixed_block)
"""Where lanes are on levels of their own."""
