"""Grids as the arrays that the kernels read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .grid import WALL, Grid


def tables(
    levels: Sequence[Grid],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """The levels as arrays: `sites` (L, 6), `tracks` (L, K, 9), `walls` (L, H, W)."""
    height = max(level.height for level in levels)
    width = max(level.width for level in levels)
    sites = [[*level.start, *level.goal, level.width, level.height] for level in levels]
    tracks = [
        [[*level.track(o), o.x, o.y, *o.heading, int(o.is_wanderer)] for o in level.obstacles]
        for level in levels
    ]
    walls = np.ones((len(levels), height, width), dtype=np.bool_)
    for number, level in enumerate(levels):
        characters = np.frombuffer("".join(level.rows).encode(), dtype=np.uint8)
        inside = characters.reshape(level.height, level.width)  # each is one byte: all are ASCII
        walls[number, : level.height, : level.width] = inside == ord(WALL)
    counted = np.array(tracks, dtype=np.int32).reshape(len(levels), -1, 9)
    return np.array(sites, dtype=np.int32), counted, walls
