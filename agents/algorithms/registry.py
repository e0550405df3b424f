"""The learners by name, a row each: class, configuration, presets; and the way to add one."""

import inspect
import re
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from typing import NamedTuple

from sidestep.agents.environments import is_own, name_of
from sidestep.agents.networks import NetworkConfig
from sidestep.agents.settings import TrainingConfig

from .deep_sarsa import DeepSarsa, DeepSarsaConfig
from .learner import Agent, LearnerConfig
from .presets import REINFORCE, SARSA, SEVERAL_LEVELS, Presets, Settings
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
OTHER_ACTIONS = ("resume",)
"""Words that follow `sidestep train` and are no learners."""


def preset(learner: str, env_id: str, memory: str) -> Settings:
    """The learner's configuration and the training's, for `env_id`.

    Args:
        learner: one of `LEARNERS`.
        env_id: any id, with or without its module; this package's worlds have settings of their
            own, other envs share some.
        memory: the network's memory.

    Raises:
        ValueError: no such learner, or no such memory.
    """
    if learner not in LEARNERS:
        raise ValueError(f"learner: expected one of {', '.join(LEARNERS)}, got {learner!r}")
    row, name = LEARNERS[learner], name_of(env_id)
    network = NetworkConfig(hidden_sizes=(64, 64), memory=memory)
    several = name.startswith(SEVERAL_LEVELS)
    if several:  # a view of 7x7 cells: too small for convolutions
        past = memory != "none"
        network = replace(network, hidden_sizes=(128, 128), channels=(), skip_connection=past)
    elif memory != "none":
        network = replace(network, hidden_sizes=network.hidden_sizes[:1])
    if row.presets is None:
        return row.config(network=network), TrainingConfig()
    known = row.presets
    settings = known.several_levels if several else known.own if is_own(name) else known.foreign
    config, training = settings(name, memory)
    return replace(config, network=network), training


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
    settings: Callable[[str, str], Settings]
    for settings, name in zip(learner.presets, ("sidestep/", SEVERAL_LEVELS, ""), strict=True):
        config, training = settings(name, "none")
        if not isinstance(config, learner.config) or not isinstance(training, TrainingConfig):
            raise TypeError(
                f"expected presets of {learner.config.__name__} and TrainingConfig, got "
                f"{type(config).__name__} and {type(training).__name__}"
            )
