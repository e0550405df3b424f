"""What `predict` is asked: one observation or a batch of them, with or without a state."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Hidden = tuple[Any, NDArray[np.int64]]
"""What `predict` hands on between calls: the memory's state and the last actions."""


def starts(lanes: int, state: Hidden | None, told: Any) -> NDArray[np.bool_]:
    """Read (lanes,) where an episode starts.

    Raises:
        ValueError: a state or an `episode_start` of another number of lanes.
    """
    if state is not None and len(state[1]) != lanes:
        raise ValueError(f"state: expected one of {lanes} observations, got {len(state[1])}")
    start = np.asarray(False if told is None else told, dtype=np.bool_)
    if start.shape not in ((), (lanes,)):
        raise ValueError(f"episode_start: expected shape ({lanes},), got {start.shape}")
    return np.full(lanes, state is None) | start


def is_single(space: spaces.Space[Any], observation: Any) -> bool:
    """Whether `observation` is one observation of `space`, and not a batch of them."""
    match space:
        case spaces.Dict():
            name = next(iter(space.keys()))
            return is_single(space[name], observation[name])
        case spaces.Tuple():
            return is_single(space.spaces[0], observation[0])
    return np.ndim(observation) == len(space.shape or ())
