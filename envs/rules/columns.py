"""The rows and columns of the arrays that the kernels share.

Rows of `state` (int16): X, Y of the agent; PHASE, the ticks until the obstacles move (0: in the
coming tick); HIT, whether the agent was hit in this episode; then for obstacle k its x, y and
heading (hx, hy), from row FIRST + 4 k on. `clock` (int32) counts the episode's ticks. `streams`
(uint64) holds SEED, EPISODE and KEY, the lane's random stream, a function of the first two alone.
"""

X, Y, PHASE, HIT, FIRST = 0, 1, 2, 3, 4
SEED, EPISODE, KEY = 0, 1, 2
TERMINATED, TRUNCATED, SUCCESS, COLLISION, PLAYED, ALSO_PLAYED, FLAGS = range(7)
"""Rows of `flags`: how the tick ended; PLAYED is False where the lane restarted instead, and
ALSO_PLAYED is the same once more, for who hands out both; and their number."""
START_X, START_Y, GOAL_X, GOAL_Y, WIDTH, HEIGHT, SITE = range(7)
"""Columns of `sites`, a row a level; and their number."""
LEFT, TOP, RIGHT, BOTTOM, BEGIN_X, BEGIN_Y, BEGIN_HX, BEGIN_HY, WANDERS, TRACK = range(10)
"""Columns of `tracks`, a row an obstacle, a page a level; and their number."""
PERIOD, RANDOM_STARTS, SWAP_HITS, HIT_ENDS, HAS_WALLS, MAX_TICKS = range(6)
"""Entries of `rules` (int32)."""
GOAL, HITTING, TICK = 0, 1, 2
"""Entries of `rewards` (float64): for the goal, for a hit, on every tick."""
OLD_X, OLD_Y, OLD_OX, OLD_OY, HITS = 0, 1, 2, 3, 4
"""Rows of `scratch`: where agent and obstacle stood before the tick, and the hits of this tick."""
WHICH, LANE_SITE, LANE_TRACK, SCRATCH_ROWS = 5, 6, 10, 14
"""The row of `scratch` with the lanes that restart, counted from the block's first; the rows from
which on it has, for lanes of several levels, each lane's goal and last column and row, and an
obstacle's track; and the number of rows."""
BLOCK = 256
"""Most lanes handled together, so that their rows stay in the first-level cache."""
