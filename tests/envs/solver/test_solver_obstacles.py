"""Where the solver says that obstacles are, against the world that plays them."""

import numpy as np

from sidestep.envs import MovingObstaclesVectorEnv, solve
from sidestep.envs.rules import tick as kernels


def test_obstacles_are_where_the_world_has_them() -> None:
    level = "S..v\n?##.\n.>.G\n...^\n#<##"  # the last cannot move
    lanes = 60
    env = MovingObstaclesVectorEnv(lanes, None, level=level, obstacle_period=3, hit_ends=False)
    env.reset(seed=0)
    solution = solve(env, 0.9)
    rows = {row.tobytes(): i for i, row in enumerate(solution.starts.places)}
    world = env.world
    keys = solution._problem.start_of(world.state, world.clock)
    starts = [rows[key.tobytes()] for key in keys]
    assert len(set(starts)) > 20
    patrols = [0, 2, 3, 4]  # 1 is the wanderer
    for tick in range(25):
        said = np.array([solution.obstacles(start, tick) for start in starts])  # (lanes, 5, 4)
        bodies = world.state[kernels.FIRST :].copy().reshape(5, 4, lanes).transpose(2, 0, 1)
        assert np.array_equal(said[:, patrols, :2], bodies[:, patrols, :2])
        assert (said[:, 1] == [0, 1, 0, 0]).all()
        moves = world.state[kernels.PHASE] == 0
        env.step(np.full(lanes, 4))
        later = world.state[kernels.FIRST :].reshape(5, 4, lanes).transpose(2, 0, 1)
        for k in patrols[:3]:
            step = later[:, k, :2] - bodies[:, k, :2]
            assert np.array_equal(step[moves], said[moves, k, 2:])
            assert not step[~moves].any()
