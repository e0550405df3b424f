"""The learners by name, a row each: class, configuration, presets; and the way to add one."""

import inspect
import re
from dataclasses import is_dataclass, replace
from typing import Any, NamedTuple

from gymnasium.vector import VectorEnv

from sidestep.agents.environments import EnvConfig
from sidestep.agents.networks import NetworkConfig
from sidestep.agents.settings import TrainingConfig
from sidestep.agents.traits import Traits, told_traits, traits_of

from .deep_sarsa import DeepSarsa, DeepSarsaConfig
from .learner import Agent, LearnerConfig
from .presets import PRESETS, REINFORCE, SARSA, Presets, Settings, network_of
from .reinforce import Reinforce, ReinforceConfig


class Learner(NamedTuple):
    """A row: what there is to know of a learner; its scores and values are its class's to tell."""

    agent: type[Agent]
    """Made of (observation_space, action_space, config, seed, device); its `name` is the row's."""
    config: type[LearnerConfig]
    """A frozen dataclass, every field with a default; `sidestep train NAME` has them as flags."""
    presets: Presets | None = None
    """Settings that are known to work; None: the defaults of both configurations, everywhere."""
    words: str = ""
    """What `sidestep train NAME --help` begins with."""


LEARNERS: dict[str, Learner] = {
    "deep-sarsa": Learner(DeepSarsa, DeepSarsaConfig, SARSA, "Train Deep SARSA."),
    "reinforce": Learner(Reinforce, ReinforceConfig, REINFORCE, "Train REINFORCE."),
}
"""Every learner by the name that it has on the command line; `register_learner` adds to it."""
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PLAIN = Traits(vectorized=False, time_limit=None)
OTHER_ACTIONS = ("resume",)
"""Words that follow `sidestep train` and are no learners."""


def preset(
    learner: str,
    env: str | EnvConfig | VectorEnv[Any, Any, Any] | Traits,
    memory: str = NetworkConfig.memory,
    name: str = "default",
) -> Settings:
    """The learner's configuration and the training's, by what the env is like.

    Args:
        learner: one of `LEARNERS`.
        env: an id, with or without its module, or a configuration, of which one env is made and
            closed; a vector env; or traits that were read before.
        memory: the network's memory.
        name: default, textbook or thorough.

    Raises:
        ValueError: no such learner, memory or preset.
        gymnasium.error.Error, TypeError, ValueError: an env that cannot be made, or whose
            observations cannot be learned from.
    """
    if learner not in LEARNERS:
        raise ValueError(f"learner: expected one of {', '.join(LEARNERS)}, got {learner!r}")
    if name not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, got {name!r}")
    NetworkConfig(memory=memory)  # before an env is made: is there such a memory?
    if isinstance(env, str):
        env = EnvConfig(env)
    traits = env if isinstance(env, Traits) else traits_of(env)
    row, network = LEARNERS[learner], network_of(traits, memory)
    if row.presets is None:
        return row.config(network=network), TrainingConfig()
    config, training = getattr(row.presets, name)(traits, network)
    return replace(config, network=network), training


def presumed_lanes(learner: str, config: EnvConfig, memory: str, name: str = "default") -> int:
    """The lanes of the preset, before an env is made; the arguments are those of `preset`."""
    return preset(learner, told_traits(config), memory, name)[1].num_envs


def register_learner(name: str, learner: Learner) -> None:
    """Add a learner; from then on it has `sidestep train NAME`, runs, and all that is made of them.

    Args:
        name: lower-case words joined by hyphens, not taken; the class's own `name`.
        learner: its row.

    Raises:
        TypeError, ValueError: a name that is taken or cannot be one, or a row that could not be
            trained; nothing is added. The same row again is no error.
    """
    if not isinstance(name, str) or NAME.fullmatch(name) is None or name in OTHER_ACTIONS:
        raise ValueError(
            f"learner name: expected lower-case words joined by hyphens, and not "
            f"{', '.join(OTHER_ACTIONS)}, got {name!r}"
        )
    given: object = learner
    if not isinstance(given, Learner):
        got = type(given).__name__
        raise TypeError(f"learner {name!r}: expected a row, sidestep.agents.Learner, got {got}")
    if LEARNERS.get(name, learner) is not learner:
        raise ValueError(f"learner name: expected one that is free, got {name!r}, which is taken")
    try:
        _check_agent(name, learner.agent)
        _check_config(learner.config)
        _check_presets(learner)
    except (TypeError, ValueError) as error:
        raise type(error)(f"learner {name!r}: {error}") from None
    LEARNERS[name] = learner


def _check_agent(name: str, agent: type[Agent]) -> None:
    """Raise TypeError or ValueError for a class that cannot be a learner of that name."""
    if not isinstance(agent, type) or not issubclass(agent, Agent):
        raise TypeError(f"expected agent to be a subclass of Agent, got {agent!r}")
    if inspect.isabstract(agent):
        missing = ", ".join(sorted(agent.__abstractmethods__))
        raise TypeError(f"expected {agent.__name__} with {missing}, got none of these")
    if getattr(agent, "name", None) != name:
        raise ValueError(f"expected {agent.__name__}.name to be {name!r}, as its runs will say, "
                         f"got {getattr(agent, 'name', None)!r}")  # fmt: skip


def _check_config(config: type[LearnerConfig]) -> None:
    """Raise TypeError for a class that cannot be made of its defaults."""
    if not isinstance(config, type) or not issubclass(config, LearnerConfig):
        raise TypeError(f"expected config to be a subclass of LearnerConfig, got {config!r}")
    if not is_dataclass(config) or "__dataclass_fields__" not in vars(config):
        raise TypeError(f"expected {config.__name__} to be a dataclass itself, got a plain class")
    config()


def _check_presets(learner: Learner) -> None:
    """Raise TypeError for presets that are none, or give other settings than the row's."""
    if learner.presets is None:
        return
    if not isinstance(learner.presets, Presets):
        raise TypeError(f"expected presets to be Presets, got {learner.presets!r}")
    for rule in learner.presets:
        config, training = rule(PLAIN, NetworkConfig())
        if not isinstance(config, learner.config) or not isinstance(training, TrainingConfig):
            raise TypeError(
                f"expected presets of {learner.config.__name__} and TrainingConfig, got "
                f"{type(config).__name__} and {type(training).__name__}"
            )
