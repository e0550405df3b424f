"""What presets ask of an env, read off it: nothing depends on its name."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from .acting.encoding import ObservationEncoder
from .environments import EnvConfig, is_native, make_single, told_limit


class Traits(NamedTuple):
    """An env as presets see it."""

    vectorized: bool
    """Its lanes are one array, so that many of them cost little."""
    time_limit: int | None
    """Ticks after which an episode is cut; None: it is not known to be."""
    shape: tuple[int, ...] = (1,)
    """Of one encoded observation."""
    unscaled: bool = False
    """Observations are numbers of unlike or unknown size: not codes, truth values, pictures, or
    numbers that the space keeps within [-1, 1]."""
    is_table: bool = False
    """Observations are single numbers of states: nothing tells that one state is like another."""

    @property
    def is_quick(self) -> bool:
        """Whether many short episodes cost little: lanes of one array, at most 100 ticks each."""
        return self.vectorized and self.time_limit is not None and self.time_limit <= SHORT

    @property
    def is_long(self) -> bool:
        """Whether episodes may last for more than 128 ticks, but for no more than 1,000."""
        return self.time_limit is not None and MEDIUM < self.time_limit <= LONG

    @property
    def is_endless(self) -> bool:
        """Whether episodes may last for more than 1,000 ticks, or nothing says how long."""
        return self.time_limit is None or self.time_limit > LONG

    @property
    def is_picture(self) -> bool:
        """Whether one observation has channels, height and width."""
        return len(self.shape) == 3

    @property
    def is_small_picture(self) -> bool:
        """Whether it is a picture of at most 8 by 8 cells, as a view around the agent is."""
        return self.is_picture and max(self.shape[-2:]) <= SMALL


SMALL, SHORT, MEDIUM, LONG = 8, 100, 128, 1_000
"""Cells on a side, and ticks. A limit that `make_single` adds, where an env has none, is longer."""


def told_traits(config: EnvConfig) -> Traits:
    """What is known of an env before one is made: not what it shows.

    Raises:
        gymnasium.error.Error, ValueError: no such id, or a module that fails when it is imported.
    """
    return Traits(is_native(config), told_limit(config))


def traits_of(env: EnvConfig | VectorEnv[Any, Any, Any]) -> Traits:
    """Read an env's traits.

    Args:
        env: a configuration, of which one env is made and closed; or a vector env.

    Raises:
        gymnasium.error.Error, TypeError, ValueError: an env that cannot be made, or whose
            observations cannot be learned from.
    """
    if isinstance(env, EnvConfig):
        made = make_single(env)
        try:
            space, limit = made.observation_space, _limit_of(made)
        finally:
            made.close()
        return _traits(is_native(env), limit, space)
    native = not isinstance(env.unwrapped, SyncVectorEnv | AsyncVectorEnv)
    return _traits(native, _limit_of(env), env.single_observation_space)


def _limit_of(env: Any) -> int | None:
    """The time limit of a single or of a vector env: its lanes know better than its own spec."""
    base = env.unwrapped
    if isinstance(base, SyncVectorEnv):
        return _limit_of(base.envs[0])
    if isinstance(base, AsyncVectorEnv):
        spec: EnvSpec | None = base.get_attr("spec")[0]
        return None if spec is None else spec.max_episode_steps
    told: int | None = getattr(base, "max_episode_steps", None)
    if told is None and env.spec is not None:
        told = env.spec.max_episode_steps
    return told


def _traits(vectorized: bool, limit: int | None, space: spaces.Space[Any]) -> Traits:
    shape = ObservationEncoder(space, codes=None).shape  # as networks read it by default
    unscaled = len(shape) != 3 and _unscaled(space)
    return Traits(vectorized, limit, shape, unscaled, isinstance(space, spaces.Discrete))


def _unscaled(space: spaces.Space[Any]) -> bool:
    """Whether any part of the space holds numbers that may be larger than 1."""
    if isinstance(space, spaces.Dict):
        return any(_unscaled(part) for part in space.values())
    if isinstance(space, spaces.Tuple):
        return any(_unscaled(part) for part in space)
    if not isinstance(space, spaces.Box) or not np.issubdtype(space.dtype, np.floating):
        return False
    return bool((space.low < -1).any() or (space.high > 1).any())
