"""Vector envs from an id: native where there is one, else one process or several."""

import ast
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from gymnasium import spaces
from gymnasium.vector import VectorEnv

VECTORIZATIONS = ("auto", "native", "sync", "async")


@dataclass(frozen=True)
class EnvConfig:
    """Which env to make, and how.

    Raises:
        ValueError: at construction, naming what was expected and what came.
    """

    id: str = "sidestep/MovingObstacles-v0"
    """A Gymnasium id; `module:id` imports the module first."""
    kwargs: tuple[str, ...] = ()
    """Keywords of the env, as name=value; values are Python literals, or else text."""
    max_episode_steps: int | None = None
    """Time limit in ticks; None keeps the env's own."""
    vectorization: str = "auto"
    """auto: native where the env has it, else sync; native; sync; async (a process a lane)."""

    def __post_init__(self) -> None:
        """Check every field."""
        if self.vectorization not in VECTORIZATIONS:
            expected = ", ".join(VECTORIZATIONS)
            raise ValueError(f"vectorization: expected one of {expected}, got {self.vectorization}")
        if self.max_episode_steps is not None and self.max_episode_steps < 1:
            raise ValueError(
                f"max_episode_steps: expected at least 1, got {self.max_episode_steps}"
            )
        self.keywords()

    def keywords(self) -> dict[str, Any]:
        """`kwargs` as a dict."""
        return parse_keywords(self.kwargs)


def parse_keywords(pairs: Sequence[str]) -> dict[str, Any]:
    """`["size=5", "name=abc"]` as `{"size": 5, "name": "abc"}`.

    Raises:
        ValueError: a word without `=`.
    """
    keywords = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"env kwargs: expected name=value, got {pair!r}")
        try:
            keywords[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            keywords[name] = value
    return keywords


def qualified(env_id: str) -> str:
    """This package's own ids with the module that registers them."""
    return f"sidestep.envs:{env_id}" if env_id.startswith("sidestep/") else env_id


def make_vector(config: EnvConfig, num_envs: int) -> VectorEnv[Any, Any, Any]:
    """The vector env of `config` with `num_envs` lanes.

    Raises:
        gymnasium.error.Error, TypeError, ValueError: no such id, or keywords it does not take.
    """
    mode = {"auto": None, "native": "vector_entry_point"}.get(
        config.vectorization, config.vectorization
    )
    keywords = config.keywords()
    if config.max_episode_steps is not None:
        keywords["max_episode_steps"] = config.max_episode_steps
    env = gym.make_vec(qualified(config.id), num_envs, vectorization_mode=mode, **keywords)
    check_action_space(env.single_action_space)
    return env


def is_native(config: EnvConfig) -> bool:
    """Whether `make_vector` makes an env whose lanes are one array."""
    if config.vectorization != "auto":
        return config.vectorization == "native"
    env_id = qualified(config.id)
    if ":" in env_id:
        importlib.import_module(env_id.partition(":")[0])
    return gym.spec(env_id.partition(":")[2] or env_id).vector_entry_point is not None


def make_single(config: EnvConfig, render_mode: str | None = None) -> gym.Env[Any, Any]:
    """One env of `config`, for watching."""
    keywords = config.keywords()
    if config.max_episode_steps is not None:
        keywords["max_episode_steps"] = config.max_episode_steps
    return gym.make(qualified(config.id), render_mode=render_mode, **keywords)


def check_action_space(space: spaces.Space[Any]) -> None:
    """Raise TypeError unless the space is Discrete, counted from 0."""
    if not isinstance(space, spaces.Discrete) or space.start != 0:
        raise TypeError(f"action space: expected Discrete counted from 0, got {space}")
