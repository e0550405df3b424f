"""Gymnasium's own vector env beside the native one, and a comparison bit for bit."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv


def identical(a: Any, b: Any) -> bool:
    """Same types, dtypes, shapes, bits and keys, all the way down."""
    if isinstance(a, dict):
        return (
            isinstance(b, dict) and a.keys() == b.keys() and all(identical(a[k], b[k]) for k in a)
        )
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(identical(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        if not isinstance(b, np.ndarray) or a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.dtype == object:
            return all(identical(x, y) for x, y in zip(a, b, strict=True))
        return a.tobytes() == b.tobytes()
    return type(a) is type(b) and bool(a == b)


def pair(
    env_id: str, lanes: int, mode: str, limit: int | None, **config: Any
) -> tuple[Any, SyncVectorEnv]:
    """The native vector env and Gymnasium's over single envs, of one configuration."""
    if limit is not None:
        config["max_episode_steps"] = limit
    native = gym.make_vec(env_id, lanes, autoreset_mode=mode, **config)
    sync = SyncVectorEnv(
        [lambda: gym.make(env_id, disable_env_checker=True, **config) for _ in range(lanes)],
        autoreset_mode=AutoresetMode(mode),
    )
    return native, sync
