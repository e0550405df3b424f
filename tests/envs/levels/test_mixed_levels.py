"""Lanes of several levels play what worlds of each level alone play, bit for bit."""

from typing import Any

import numpy as np
import pytest

from sidestep.envs import MovingObstaclesEnv, MovingObstaclesVectorEnv
from sidestep.envs.observations.planes import NEAR
from sidestep.envs.rules.tick import BLOCK

from ..beside import identical

MIXED = ["S.v.\n?##.\n.>.G\n...^", "S<.\n?.G\n.^v", "S????\n....G", ">..\n.^?\nS<G"]
"""Of several sizes; the same obstacle is a patrol in one level and a wanderer in another."""


@pytest.mark.parametrize("lanes", [1, NEAR - 1, NEAR + 1, BLOCK - 1, BLOCK + 3])
@pytest.mark.parametrize("observation", ["features", "book", "planes", "window", "beacon"])
def test_lanes_of_several_levels(lanes: int, observation: str) -> None:
    rules: dict[str, Any] = {"observation": observation, "obstacle_period": 3, "radius": 1}
    env = MovingObstaclesVectorEnv(lanes, 23, autoreset_mode="Disabled", levels=MIXED, **rules)
    level = np.arange(lanes) % 4
    obs, _ = env.reset(seed=3, options={"level": level.tolist()})
    watched = sorted({0, 1, 2, 3, lanes // 2, lanes - 1} & set(range(lanes)))
    alone = {i: MovingObstaclesEnv(level=MIXED[level[i]], **rules) for i in watched}
    for i, single in alone.items():
        assert shown(single.reset(seed=3 + i)[0], obs[i])
    rng, ended, checked = np.random.default_rng(0), np.zeros(lanes, np.bool_), 0
    for _ in range(17):
        actions = rng.integers(0, 5, lanes)
        obs, reward, terminated, _, info = env.step(actions)
        for i in watched:
            if ended[i]:
                continue
            o, r, e, _, facts = alone[i].step(int(actions[i]))
            assert shown(o, obs[i]) and (r, e) == (reward[i], terminated[i])
            assert facts == {key: info[key][i] for key in facts}
            checked += 1
        over = terminated.copy()
        ended |= over
        if over.any():
            env.reset(options={"reset_mask": over})
    assert checked > 2 * len(watched)


def shown(alone: Any, among: Any) -> bool:
    """Whether a level shows the same among others; planes beyond its size are walls."""
    if among.ndim == 3 and alone.shape != among.shape:
        _, height, width = alone.shape
        inside, beyond = among[:, :height, :width].copy(), among.copy()
        beyond[:, :height, :width] = 0
        walls = np.zeros_like(among)
        walls[0] = 1
        walls[0, :height, :width] = 0
        signals = range(8, len(among))  # of one value everywhere
        return identical(alone, np.ascontiguousarray(inside)) and all(
            np.array_equal(beyond[p], walls[p]) for p in range(len(among)) if p not in signals
        )
    return identical(alone, among)
