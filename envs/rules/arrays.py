"""Grids as the arrays that the kernels read."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .grid import GOAL, HEADINGS, START, WALL, WANDERER, Grid
from .memory import packed, table_arrays

Tables = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]


def tables(levels: Sequence[Grid]) -> Tables:
    """The levels as arrays: `sites` (L, 6), `tracks` (L, K, 9), `walls` (L, H, W).

    Worlds of the same levels share them: they are not to be written to.
    """
    return _tables(tuple(levels))


@lru_cache(maxsize=8)
def _tables(levels: tuple[Grid, ...]) -> Tables:
    found: Tables = table_arrays(*_packed(levels))
    return found


def packed_tables(levels: Sequence[Grid]) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """`tables` in one piece of memory, shared too, and the sizes by which it is cut."""
    return _packed(tuple(levels))


@lru_cache(maxsize=8)
def _packed(levels: tuple[Grid, ...]) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    sizes = [(level.width, level.height) for level in levels]
    width, height = map(max, zip(*sizes, strict=True))
    rows = (row for level in levels for row in _padded(level, width, height))
    maps = np.frombuffer("".join(rows).encode("ascii"), dtype=np.uint8)
    sites, tracks, walls = tables_of(maps.reshape(len(levels), height, width))
    sites[:, 4:] = sizes
    return packed(sites, tracks, walls)


def _padded(level: Grid, width: int, height: int) -> tuple[str, ...]:
    """A level's rows among others that are larger: beyond it are walls."""
    if (level.width, level.height) == (width, height):
        return level.rows
    below = (WALL * width,) * (height - level.height)
    return (*(row.ljust(width, WALL) for row in level.rows), *below)


def tables_of(maps: NDArray[np.uint8]) -> Tables:
    """`tables` of checked maps of one size, with equally many obstacles.

    Args:
        maps: (L, H, W), each cell the ASCII code of its character.
    """
    number, height, width = maps.shape
    walls, sites = maps == ord(WALL), np.empty((number, 6), dtype=np.int32)
    for column, end in ((0, START), (2, GOAL)):
        place = (maps == ord(end)).reshape(number, -1).argmax(axis=1)
        sites[:, column], sites[:, column + 1] = place % width, place // width
    sites[:, 4:] = width, height
    level, y, x = np.nonzero(OBSTACLES[maps])
    code = maps[level, y, x]
    track = np.empty((len(level), 9), dtype=np.int32)
    track[:, 4:] = np.stack((x, y, HEADING_X[code], HEADING_Y[code], code == ord(WANDERER)), axis=1)
    for across, (low, high) in ((1, (0, 2)), (0, (1, 3))):
        along, own = (2, x) if across else (1, y)
        turns = (HEADING_X if across else HEADING_Y)[code] != 0
        before, after = _stretch(walls, along)
        track[:, low] = np.where(turns, before[level, y, x], own)
        track[:, high] = np.where(turns, after[level, y, x], own)
    return sites, track.reshape(number, -1, 9), walls


def _stretch(walls: NDArray[np.bool_], axis: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """For every cell the first and the last one without a wall between, along an axis."""
    length = walls.shape[axis]
    place = np.arange(length, dtype=np.int16).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
    first = np.maximum.accumulate(np.where(walls, place + 1, 0), axis=axis)
    behind = np.flip(np.where(walls, place - 1, length - 1), axis)
    return first, np.flip(np.minimum.accumulate(behind, axis=axis), axis)


OBSTACLES = np.zeros(128, dtype=np.bool_)
HEADING_X, HEADING_Y = np.zeros(128, dtype=np.int32), np.zeros(128, dtype=np.int32)
for _character, (_dx, _dy) in (*HEADINGS.items(), (WANDERER, (0, 0))):
    OBSTACLES[ord(_character)] = True
    HEADING_X[ord(_character)], HEADING_Y[ord(_character)] = _dx, _dy
