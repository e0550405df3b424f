"""The counter-based random numbers of the kernels, and numbers that may be one a lane."""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from .compiling import compiled as compiled
from .compiling import inlined as inlined


def at(value: Any, i: Any) -> Any:
    """`value[i]` of an array, else `value`: one kernel for a number a lane and one for all.

    In compiled code the choice is made by type, before anything runs.
    """
    return value[i] if isinstance(value, np.ndarray) else value


@overload(at)  # type: ignore[untyped-decorator]  # numba has no types
def _at(value: Any, i: Any) -> Any:
    def pick(value: Any, i: Any) -> Any:
        return value[i]

    def same(value: Any, i: Any) -> Any:
        return value

    return pick if isinstance(value, types.Array) else same


@compiled
def mix(z: Any) -> Any:
    """Scramble 64 bits: the output function of SplitMix64 (Steele, Lea & Flood 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def draw(key: Any, counter: Any, bound: Any) -> Any:
    """The `counter`-th number of the stream `key`, uniform on 0 .. bound - 1, bound < 2^31."""
    bits = mix(key + (np.uint64(counter) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    return np.int64(((bits >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32))
