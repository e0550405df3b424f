"""Pieces of somebody else, in a module of theirs: what `register_*` is given in the tests.

A fresh process imports this file by its name, so it uses nothing but the public interface.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from sidestep.envs import Lanes, Level, Observation, Shown, View, register_observation


def radar_space(levels: Sequence[Level], view: View) -> spaces.Box:
    """Offsets of the goal and of the nearest obstacle, in cells; the ticks until obstacles move."""
    far = max(max(level.width, level.height) for level in levels)
    low = np.array([-far, -far, -far, -far, 0], np.float32)
    return spaces.Box(low, np.array([far, far, far, far, view.period], np.float32))


def radar(lanes: Lanes) -> Any:
    """(N, 5)."""
    obstacles = lanes.obstacles[:, :, :2].astype(np.int64) - lanes.agent[:, None]  # (N, K, 2)
    nearest = np.abs(obstacles).sum(2).argmin(1)  # (N,)
    near = obstacles[np.arange(len(nearest)), nearest]
    near[lanes.tick % lanes.view.every != 0] = 0
    phase = lanes.phase * (not lanes.view.hide_phase)
    return np.column_stack([lanes.goal - lanes.agent, near, phase]).astype(np.float32)


RADAR = Observation(
    space=radar_space,
    function=radar,
    hides=True,
    shows=Shown(headings=False, near=True),
)
register_observation("radar", RADAR)
