"""What the solver reads off an environment: its rules, its time limit, its true state."""

from typing import Any, Protocol, TypeGuard

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import TimeLimit
from numpy.typing import NDArray

from sidestep.envs.config import WorldConfig
from sidestep.envs.world import World

Env = gym.Env[Any, Any] | VectorEnv[Any, Any, Any]


class Played(Protocol):
    """An env of this package, single or native vector: the solver looks at its world."""

    config: WorldConfig
    world: World


def worlds_of(env: Any) -> list[Played]:
    """The worlds behind an env: one that may have many lanes, or those of a `SyncVectorEnv`.

    Raises:
        TypeError: not a world of this package.
    """
    inner = getattr(env, "unwrapped", None)
    if _is_ours(inner):
        return [inner]
    lanes = [getattr(lane, "unwrapped", None) for lane in getattr(inner, "envs", ())]
    ours = [lane for lane in lanes if _is_ours(lane)]
    if not lanes or len(ours) < len(lanes):
        raise TypeError(
            "env: expected a WorldConfig or a world of this package (single, native vector or "
            f"SyncVectorEnv), got {type(env if inner is None else inner).__name__}"
        )
    return ours


def _is_ours(env: Any) -> TypeGuard[Played]:
    return isinstance(getattr(env, "world", None), World)


def rules_of(env: Env) -> tuple[WorldConfig, int | None]:
    """The configuration and the time limit in ticks of an env, wrapped or not.

    Raises:
        TypeError: not a world of this package.
        ValueError: lanes that differ.
    """
    first: Any = worlds_of(env)[0]
    if isinstance(first, VectorEnv):
        return first.config, first.max_episode_steps  # type: ignore[attr-defined]
    lanes: Any = getattr(env.unwrapped, "envs", (env,))
    found = {(lane.unwrapped.config, _limit(lane)) for lane in lanes}
    if len(found) > 1:
        raise ValueError(f"env: expected lanes of one world, got {len(found)} different ones")
    config, limit = found.pop()
    return config, limit


def _limit(env: Any) -> int | None:
    """The shortest limit of all `TimeLimit` wrappers."""
    limits = []
    while isinstance(env, gym.Wrapper):
        if isinstance(env, TimeLimit):
            limits.append(int(env._max_episode_steps))
        env = env.env
    return min(limits, default=None)


def lanes_of(env: Env) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """State (rows, N) and clock (N,) of every lane, as the `World` has them."""
    worlds = [world.world for world in worlds_of(env)]
    if len(worlds) == 1:
        return worlds[0].state, worlds[0].clock
    state = np.concatenate([world.state for world in worlds], axis=1)
    return state, np.concatenate([world.clock for world in worlds])


def levels_of(env: Env) -> NDArray[np.int32]:
    """The number of every lane's level, (N,)."""
    return np.concatenate([world.world.level_of for world in worlds_of(env)])
