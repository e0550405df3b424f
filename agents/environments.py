"""Vector envs from an id: native where there is one, else one process or several."""

import ast
import difflib
import importlib
import inspect
import re
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import gymnasium as gym
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from sidestep.sequence.limits import COUNT, check_fields, one_of

OWN = "sidestep.envs"
"""The module that registers this package's own envs."""
Vectorization = Literal["auto", "native", "sync", "async"]
VECTORIZATIONS = get_args(Vectorization)
TRAINING_LEVELS = 8_000
"""Levels that commands train on where an id's episodes draw theirs from a pool. Of 64 levels agents
remember the answers: of 1,000 others REINFORCE with a GRU then solves 80 %, after 8,000 levels 96 %
(measured once, 8 and 16 million ticks)."""
MOST_LANES, FEW_LANES = 512, 16
FEWEST, SHORT = 100, 100
"""Episodes, and ticks of one where the env tells no limit."""
MOST_TICKS = 10_000
"""Time limit where an env has none: an agent that never ends an episode must not hang."""


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
    """Time limit in ticks; None keeps the env's own, or sets 10,000 where it has none."""
    vectorization: Vectorization = "auto"
    """auto: native where the env has it, else sync; native; sync; async (a process a lane)."""

    def __post_init__(self) -> None:
        """Check every field."""
        limits = {"vectorization": one_of(*VECTORIZATIONS), "max_episode_steps": COUNT}
        check_fields(self, limits)
        self.keywords()

    def keywords(self) -> dict[str, Any]:
        """`kwargs` as a dict."""
        return parse_keywords(self.kwargs)

    def elsewhere(self, env_id: str | None, kwargs: tuple[str, ...]) -> "EnvConfig":
        """The env with other keywords, or another env.

        Args:
            env_id: of another env, of which nothing but `kwargs` is said; None: the same id.
            kwargs: as the field: beside the keywords there are, and instead of those of their name.
        """
        if env_id is not None:
            return EnvConfig(env_id, kwargs)
        told = parse_keywords(kwargs)
        kept = tuple(pair for pair in self.kwargs if pair.partition("=")[0] not in told)
        limit = None if "max_episode_steps" in told else self.max_episode_steps
        return replace(self, kwargs=kept + kwargs, max_episode_steps=limit)

    def in_words(self) -> str:
        """The id and what else is said: `sidestep/Crossing-v0 split=test`."""
        limit = self.max_episode_steps
        limits = () if limit is None else (f"max_episode_steps={limit}",)
        return " ".join((name_of(self.id), *self.kwargs, *limits))


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
        keywords[name] = _value_of(value)
    return keywords


def _value_of(text: str) -> Any:
    """A Python literal, or else the text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python has opinions on backslashes in words
            return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # as it documents
        return text


def name_of(env_id: str) -> str:
    """The id without its module: `CartPole-v1` of `my_package:CartPole-v1`."""
    return env_id.rpartition(":")[2]


def is_own(env_id: str) -> bool:
    """Whether the id, with or without its module, is one of this package's worlds."""
    return name_of(env_id).startswith("sidestep/")


def qualified(env_id: str) -> str:
    """This package's own ids with the module that registers them."""
    return f"{OWN}:{env_id}" if env_id.startswith("sidestep/") else env_id


def check_module_of(config: EnvConfig, source: str, modules: Collection[str] | None = ()) -> None:
    """Refuse to import, for an id that was read from a file, what nobody has named.

    An id may be `module:id`, and importing a module runs it: a file must not decide that.

    Args:
        config: as it was read.
        source: the file, for the error.
        modules: that the caller has named; those that are imported already need not be. None: any.

    Raises:
        ValueError: its module is neither named nor imported.
    """
    module, colon, _ = config.id.rpartition(":")
    known = modules is None or module in {OWN, *modules, *sys.modules}
    if colon and not known:
        raise ValueError(
            f"{source}: expected an env in a module that is imported or named, got {config.id!r}; "
            f"`--modules {module}` or `import {module}` allows it, if you trust it"
        )


@contextmanager
def making(source: str) -> Iterator[None]:
    """Turn whatever an env of a file's id and keywords raises into a ValueError on one line."""
    try:
        yield
    except (OSError, ValueError):
        raise
    except Exception as error:
        line = str(error).strip().partition("\n")[0]
        what = f"{type(error).__name__}: {line}"
        raise ValueError(f"{source}: expected an env that can be made, got {what}") from error


def import_module(module: str, env_id: str) -> None:
    """Import the module of an id.

    Raises:
        ValueError: no such module, or one that fails when it is imported.
    """
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"env {env_id}: expected a module to import, got {error}") from None
    except Exception as error:  # whatever a module of others does when it is imported
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"env {env_id}: expected a module to import, got {what}") from error


def spec_of(config: EnvConfig) -> EnvSpec:
    """What is registered under the id, its module imported.

    Raises:
        ValueError: no such module, or one that fails when it is imported.
        gymnasium.error.Error: no such id.
    """
    module, _, name = qualified(config.id).rpartition(":")
    if module:
        import_module(module, config.id)
    try:
        return gym.spec(name)
    except gym.error.UnregisteredEnv as error:
        known = sorted(gym.registry, key=lambda name: "/" not in name)  # plain ids win
        bare = {name.split("/")[-1]: name for name in known}
        close = difflib.get_close_matches(name.split("/")[-1], bare, n=1)
        if not close or isinstance(error, gym.error.VersionNotFound):
            raise
        what = str(error).split(" Did you mean")[0]  # Gymnasium looks among bare names only
        raise type(error)(f"{what} Did you mean: `{bare[close[0]]}`?") from None


def for_training(config: EnvConfig) -> EnvConfig:
    """The same env to train in: with 8,000 levels, where its id has a pool and no count is named.

    Args:
        config: of any env; others' envs, and where its keywords name a pool, are left as they are.

    Raises:
        ValueError, gymnasium.error.Error: as of `spec_of`.
    """
    pool = spec_of(config).kwargs.get("pool") if is_own(config.id) else None
    if not isinstance(pool, dict) or "pool" in config.keywords() or "count" in pool:
        return config
    larger = {**pool, "count": TRAINING_LEVELS}
    return replace(config, kwargs=(*config.kwargs, f"pool={larger}"))


def make_vector(config: EnvConfig, num_envs: int) -> VectorEnv[Any, Any, Any]:
    """The vector env of `config` with `num_envs` lanes.

    Raises:
        gymnasium.error.Error, TypeError, ValueError: no such id, or keywords it does not take.
    """
    mode = {"auto": None, "native": "vector_entry_point"}.get(
        config.vectorization, config.vectorization
    )
    keywords, env_id = _keywords(config, is_native(config)), qualified(config.id)
    try:
        env = gym.make_vec(env_id, num_envs, vectorization_mode=mode, **keywords)
    except ValueError as error:
        if mode != "async" or "shared_memory=False" not in str(error):
            raise
        slower = {"shared_memory": False}  # others' own spaces, such as of text, do not fit into it
        env = gym.make_vec(
            env_id, num_envs, vectorization_mode=mode, vector_kwargs=slower, **keywords
        )
    check_action_space(env.single_action_space)
    return env


def is_native(config: EnvConfig) -> bool:
    """Whether `make_vector` makes an env whose lanes are one array."""
    if config.vectorization != "auto":
        return config.vectorization == "native"
    return spec_of(config).vector_entry_point is not None


def lanes_for(episodes: int, config: EnvConfig) -> int:
    """A good number of lanes for so many episodes: more where a lane costs nothing."""
    return max(1, min(episodes, MOST_LANES if is_native(config) else FEW_LANES))


def told_limit(config: EnvConfig) -> int | None:
    """The time limit in ticks that is told before an env is made; None: none is."""
    spec = spec_of(config)
    told = {**spec.kwargs, **config.keywords()}.get("max_episode_steps")
    limits = (config.max_episode_steps, told, spec.max_episode_steps)
    return next((limit for limit in limits if isinstance(limit, int) and limit > 0), None)


def final_episodes(config: EnvConfig) -> int:
    """Fresh episodes of the table at a run's end: a hundred where an env steps one by one.

    Where lanes are one array they are ten thousand, or as many as last a million ticks.
    """
    if not is_native(config):
        return FEWEST
    limit = told_limit(config) or SHORT
    return max(FEWEST, min(10_000, 1_000_000 // limit))


def make_single(config: EnvConfig, render_mode: str | None = None) -> gym.Env[Any, Any]:
    """Make one env of `config`, for watching.

    Args:
        config: of any env.
        render_mode: asked of envs that take one; the env's own `render_mode` says what came of it.

    Raises:
        gymnasium.error.Error, TypeError, ValueError: no such id, or keywords it does not take.
    """
    keywords = _keywords(config, native=False)
    if render_mode is not None:  # Gymnasium's checker refuses pictures of envs that announce none
        keywords.setdefault("disable_env_checker", True)
    if render_mode is None or not _may_draw(spec_of(config), render_mode):
        return gym.make(qualified(config.id), **keywords)
    try:
        return gym.make(qualified(config.id), **{**keywords, "render_mode": render_mode})
    except TypeError as error:
        if not re.search(r"argument 'render_mode'|takes no (keyword )?arguments", str(error)):
            raise
    return gym.make(qualified(config.id), **keywords)


def _may_draw(spec: EnvSpec, render_mode: str) -> bool:
    """Whether an env names a way of drawing among its own, or names none."""
    entry = spec.entry_point
    creator = load_env_creator(entry) if isinstance(entry, str) else entry
    metadata = getattr(creator, "metadata", None)
    modes = metadata.get("render_modes") if isinstance(metadata, dict) else None
    return not modes or render_mode in modes


def longest_episode(env: VectorEnv[Any, Any, Any]) -> int:
    """Ticks after which an episode of `env` must have ended: its time limit, at least 10,000."""
    base, name = env.unwrapped, "_max_episode_steps"  # TimeLimit's
    told = [getattr(base, "max_episode_steps", None), env.spec and env.spec.max_episode_steps]
    if isinstance(base, SyncVectorEnv):
        told += [e.get_wrapper_attr(name) for e in base.envs if e.has_wrapper_attr(name)]
    if isinstance(base, AsyncVectorEnv):
        told += [spec and spec.max_episode_steps for spec in base.get_attr("spec")]
    return max(MOST_TICKS, *(limit or 0 for limit in told))


def _keywords(config: EnvConfig, native: bool) -> dict[str, Any]:
    """The env's keywords, the time limit among them where it takes one."""
    keywords, spec = config.keywords(), spec_of(config)
    if keywords.get("max_episode_steps", 0) in (None, -1):  # Gymnasium's words for no limit
        keywords["max_episode_steps"] = MOST_TICKS
    if config.max_episode_steps is not None:
        keywords["max_episode_steps"] = config.max_episode_steps
    elif spec.max_episode_steps is None and (not native or _takes_limit(spec)):
        keywords.setdefault("max_episode_steps", MOST_TICKS)
    return keywords


def _takes_limit(spec: EnvSpec) -> bool:
    entry = spec.vector_entry_point
    creator = load_env_creator(entry) if isinstance(entry, str) else entry
    return creator is not None and "max_episode_steps" in inspect.signature(creator).parameters


def check_action_space(space: spaces.Space[Any]) -> None:
    """Raise TypeError unless the space is Discrete, counted from 0."""
    if not isinstance(space, spaces.Discrete) or space.start != 0:
        raise TypeError(f"action space: expected Discrete counted from 0, got {space}")


def check_spaces(
    env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any],
    observations: spaces.Space[Any],
    actions: spaces.Space[Any],
    name: str,
) -> str | None:
    """Refuse an env whose spaces are not those that an agent learned with.

    Args:
        env: where it is to act.
        observations: that it learned from; the bounds of a Box may differ, and what is text.
        actions: that it learned with.
        name: of the env, in words.

    Returns:
        A sentence where Boxes have other bounds; None where they have the same.

    Raises:
        ValueError: other observations or actions.
    """
    seen: Any = getattr(env, "single_observation_space", env.observation_space)
    played: Any = getattr(env, "single_action_space", env.action_space)
    for what, known, got in (("observations", observations, seen), ("actions", actions, played)):
        if not _is_like(known, got):
            raise ValueError(
                f"env {name}: expected {what} as in training, {space_in_words(known)}, "
                f"got {space_in_words(got)}"
            )
    if _without_text(seen) == _without_text(observations):
        return None
    return f"Observations in {name} have other bounds than in training."


def space_in_words(space: spaces.Space[Any]) -> str:
    """A space in a few words; a Box's own name lists the bounds of every element."""
    match space:
        case spaces.Box():
            return f"{space.dtype} {space.shape}"
        case spaces.Dict():
            return f"Dict({', '.join(f'{k}: {space_in_words(s)}' for k, s in space.items())})"
        case spaces.Tuple():
            return f"Tuple({', '.join(map(space_in_words, space.spaces))})"
    return type(space).__name__ if is_text(space) else " ".join(str(space).split())


def is_text(space: spaces.Space[Any]) -> bool:
    """Whether its observations are text: Text, and others' own spaces of str."""
    return space.dtype is not None and space.dtype.kind == "U"


def _is_like(known: spaces.Space[Any], other: spaces.Space[Any]) -> bool:
    """Whether spaces are the same but for bounds and what is text."""
    match known, other:
        case spaces.Box(), spaces.Box():
            return known.shape == other.shape and known.dtype == other.dtype
        case spaces.Dict(), spaces.Dict():
            return known.keys() == other.keys() and all(_is_like(known[k], other[k]) for k in known)
        case spaces.Tuple(), spaces.Tuple():
            same = len(known.spaces) == len(other.spaces)
            return same and all(map(_is_like, known.spaces, other.spaces))
    return (is_text(known) and is_text(other)) or bool(known == other)


def _without_text(space: spaces.Space[Any]) -> Any:
    """A space with what is text as None, to compare."""
    match space:
        case spaces.Dict():
            return {name: _without_text(part) for name, part in space.items()}
        case spaces.Tuple():
            return [_without_text(part) for part in space.spaces]
    return None if is_text(space) else space
