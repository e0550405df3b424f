"""The arrays of a world's lanes in one piece of memory, and the numbers of its rules in another.

Handing an array to compiled code costs some 50 nanoseconds, as much as the ticks of ten lanes. So a
world hands over two arrays of bytes, and both sides cut them by the functions here. What is cut
shares the memory.
"""

from math import prod
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array, populate_array
from numpy.typing import NDArray

from .columns import BLOCK, FIRST, SCRATCH_ROWS, SITE, TRACK
from .compiling import inlined


def lane_bytes(lanes: int, obstacles: int) -> int:
    """How many bytes `lane_arrays` cuts for so many lanes, of so many obstacles each."""
    a_lane = 3 * 8 + 4 + 4 + 2 * (FIRST + 4 * obstacles) + 1
    return lanes * a_lane + 2 * SCRATCH_ROWS * min(lanes, BLOCK)


def lane_arrays(memory: Any, lanes: Any, obstacles: Any) -> Any:
    """Cut a world's memory into its arrays, the widest numbers first, so that each is aligned.

    Args:
        memory: (lane_bytes(lanes, obstacles),) uint8.
        lanes: number of worlds side by side.
        obstacles: of each.

    Returns:
        `streams` (3, lanes) uint64, `clock` and `level_of` (lanes,) int32, `state` (rows, lanes)
        and `scratch` (SCRATCH_ROWS, width of a block) int16, `ended` (lanes,) uint8.
    """
    rows, wide = FIRST + 4 * obstacles, min(lanes, BLOCK)
    spare = 32 * lanes + 2 * rows * lanes
    return (
        piece(memory, 0, (3, lanes), np.uint64),
        piece(memory, 24 * lanes, (lanes,), np.int32),
        piece(memory, 28 * lanes, (lanes,), np.int32),
        piece(memory, 32 * lanes, (rows, lanes), np.int16),
        piece(memory, spare, (SCRATCH_ROWS, wide), np.int16),
        piece(memory, spare + 2 * SCRATCH_ROWS * wide, (lanes,), np.uint8),
    )


def rule_arrays(settings: Any) -> Any:
    """Cut a world's settings into arrays.

    Returns:
        `rewards` (3,) float64, `rules` (6,) and `view` (6,) int32, and `sizes` (4,) int32: the
        number of levels, of obstacles, and the maps' height and width.
    """
    return (
        piece(settings, 0, (3,), np.float64),
        piece(settings, 24, (6,), np.int32),
        piece(settings, 48, (6,), np.int32),
        piece(settings, 72, (4,), np.int32),
    )


RULE_BYTES = 88
"""How many bytes `rule_arrays` cuts."""


def table_arrays(tables: Any, sizes: Any) -> Any:
    """Cut the levels' tables into `sites` (L, 6), `tracks` (L, K, 9) and `walls` (L, H, W).

    Args:
        tables: as `packed` makes them.
        sizes: L, K, H and W.
    """
    levels, obstacles = np.int64(sizes[0]), np.int64(sizes[1])
    height, width = np.int64(sizes[2]), np.int64(sizes[3])
    sites = 4 * SITE * levels
    walls = sites + 4 * TRACK * levels * obstacles
    return (
        piece(tables, 0, (levels, SITE), np.int32),
        piece(tables, sites, (levels, obstacles, TRACK), np.int32),
        piece(tables, walls, (levels, height, width), np.bool_),
    )


def packed(
    sites: NDArray[np.int32], tracks: NDArray[np.int32], walls: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Put the levels' tables into one piece of memory; returns it and the `sizes`."""
    parts = [np.ascontiguousarray(a).reshape(-1).view(np.uint8) for a in (sites, tracks, walls)]
    return np.concatenate(parts), (*tracks.shape[:2], *walls.shape[1:])


cut_lanes, cut_rules, cut_tables = map(inlined, (lane_arrays, rule_arrays, table_arrays))
"""The same for compiled code."""


def piece(memory: Any, begin: Any, shape: Any, dtype: Any) -> Any:
    """The numbers in an array's memory from byte `begin` on; in compiled code as `borrow`.

    Args:
        memory: any array without gaps.
        begin: a multiple of the numbers' size.
        shape: of what is returned.
        dtype: of what is returned.
    """
    end = begin + prod(shape) * np.dtype(dtype).itemsize
    return memory.reshape(-1).view(np.uint8)[begin:end].view(dtype).reshape(shape)


def borrow(array: Any) -> Any:
    """The same array; in compiled code one that does not count who holds it.

    What is cut from it counts nothing either. A count is an atomic operation, and a tick cuts a
    hundred rows. The caller must hold the array, as whoever calls from Python does.
    """
    return array


@overload(piece, inline="always")  # type: ignore[untyped-decorator]  # numba has no types
def _piece(memory: Any, begin: Any, shape: Any, dtype: Any) -> Any:
    def cut(memory: Any, begin: Any, shape: Any, dtype: Any) -> Any:
        return _cut(memory, begin, shape, dtype)

    return cut


@overload(borrow, inline="always")  # type: ignore[untyped-decorator]  # numba has no types
def _borrow(array: Any) -> Any:
    def unowned(array: Any) -> Any:
        return _unowned(array)

    return unowned


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def _cut(typing_context: Any, memory: Any, begin: Any, shape: Any, dtype: Any) -> Any:
    """The record of an array without an owner in another one's memory."""
    made = types.Array(dtype.dtype, len(shape), "C")

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = make_array(memory)(context, builder, value=arguments[0])
        record = make_array(made)(context, builder)
        sides = cgutils.unpack_tuple(builder, arguments[2], len(shape))
        size = context.get_abi_sizeof(context.get_data_type(made.dtype))
        strides = [context.get_constant(types.intp, size)]
        for side in sides[:0:-1]:
            strides.insert(0, builder.mul(strides[0], side))
        place = cgutils.pointer_add(builder, source.data, arguments[1], record.data.type)
        itemsize = context.get_constant(types.intp, size)
        populate_array(record, place, sides, strides, itemsize, None)
        return record._getvalue()

    return made(memory, begin, shape, dtype), code


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def _unowned(typing_context: Any, array: Any) -> Any:
    """An array's record without its owner."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        record = make_array(array)(context, builder, value=arguments[0])
        record.meminfo = cgutils.get_null_value(record.meminfo.type)
        record.parent = cgutils.get_null_value(record.parent.type)
        return record._getvalue()

    return array(array), code
