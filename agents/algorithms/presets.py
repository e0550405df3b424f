"""Settings that are known to work, by what an env is like and by the memory. Flags override them.

Nothing here asks for an env's name. Rewards of any size are divided by the running deviation of
their returns; schedules are parts of the training's length.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from sidestep.agents.networks import NetworkConfig
from sidestep.agents.settings import TrainingConfig
from sidestep.agents.traits import Traits

from .deep_sarsa import DeepSarsaConfig
from .learner import LearnerConfig
from .reinforce import ReinforceConfig

Settings = tuple[LearnerConfig, TrainingConfig]
Rule = Callable[[Traits, NetworkConfig], Settings]
"""From an env's traits and the network to the settings around it."""

PRESETS = ("default", "textbook", "thorough")
LONGER = 5
"""A thorough training is so many times as long as the default one."""


class Presets(NamedTuple):
    """A learner's settings: three ways to train it."""

    default: Rule
    """What solves most tasks soonest."""
    textbook: Rule
    """The rules as textbooks and the notes have them."""
    thorough: Rule
    """A long run that comes nearest to the optimum."""


def network_of(traits: Traits, memory: str) -> NetworkConfig:
    """The network that presets share: how wide, and whether it convolves and skips its memory."""
    network = NetworkConfig(memory=memory)
    if traits.is_small_picture:  # a view of 7x7 cells is too small for convolutions
        past = network.remembers
        return replace(network, hidden_sizes=(128, 128), channels=(), skip_connection=past)
    return replace(network, hidden_sizes=(64,) if network.remembers else (64, 64))


def training_of(traits: Traits, total_steps: int, num_envs: int) -> TrainingConfig:
    """A training's length and width; envs that step one by one are evaluated in fewer episodes."""
    if traits.is_quick:
        return TrainingConfig(total_steps=total_steps, num_envs=num_envs)
    return TrainingConfig(
        total_steps=total_steps,
        num_envs=num_envs,
        evaluate_every=50_000,
        evaluation_episodes=32,
        checkpoint_every=100_000,
    )


def _sarsa_default(traits: Traits, network: NetworkConfig) -> Settings:
    scaled = DeepSarsaConfig(
        discount=0.99,
        final_learning_rate=3e-5,
        normalize_observations=traits.unscaled,
        normalize_rewards=True,
        reward_limit=10.0,
    )
    if network.remembers:
        config = replace(scaled, trace_decay=0.95, learning_rate=1e-3, minibatches=4)
        return _recurrent(traits, config)
    if traits.is_quick:
        config = replace(scaled, rollout_steps=4, epsilon_start=0.3, epsilon_end=0.0)
        config = replace(config, epsilon_fraction=1.0, minibatches=1, discount=0.95)
        return config, training_of(traits, 2_000_000, 64)
    config = replace(scaled, rollout_steps=8, minibatches=1, epsilon_fraction=0.2)
    return replace(config, epsilon_end=0.02), training_of(traits, 500_000, 16)


def _recurrent(traits: Traits, config: LearnerConfig) -> Settings:
    """Long rollouts: what is to be remembered must lie within one, its reward too."""
    if traits.is_quick:
        return replace(config, rollout_steps=32), training_of(traits, 3_000_000, 64)
    return replace(config, rollout_steps=128), training_of(traits, 1_000_000, 16)


def _sarsa_textbook(traits: Traits, network: NetworkConfig) -> Settings:
    """One lane, one step, the sampled action, squared errors, one rate.

    Source: Sutton & Barto (2018), section 10.1.
    """
    del network
    config = DeepSarsaConfig(
        discount=0.99,
        trace_decay=0.0,
        learning_rate=1e-3,
        final_learning_rate=None,
        rollout_steps=1,
        target="sarsa",
        loss="squared",
        minibatches=1,
        max_gradient_norm=UNBOUNDED,
    )
    return config, training_of(traits, 200_000, 1)


UNBOUNDED = 1e9
"""A norm that no gradient reaches: it is not scaled down."""


def _sarsa_thorough(traits: Traits, network: NetworkConfig) -> Settings:
    config, training = _sarsa_default(traits, network)
    return config, replace(training, total_steps=LONGER * training.total_steps)


def _reinforce_default(traits: Traits, network: NetworkConfig) -> Settings:
    config = ReinforceConfig(
        batch="rollout",
        discount=0.99,
        trace_decay=0.95,
        learning_rate=2e-3,
        final_learning_rate=3e-5,
        max_gradient_norm=0.5,
        entropy_start=0.01,
        entropy_end=0.0,
        normalize_observations=traits.unscaled,
        normalize_rewards=True,
        reward_limit=10.0,
    )
    if network.remembers:
        return _recurrent(traits, config)
    if traits.is_quick:
        return config, training_of(traits, 2_000_000, 64)
    return config, training_of(traits, 500_000, 16)


def _reinforce_textbook(traits: Traits, network: NetworkConfig) -> Settings:
    """One whole episode an update, returns without a baseline, one rate.

    Source: Williams (1992); Sutton & Barto (2018), section 13.3.
    """
    del network
    config = ReinforceConfig(
        discount=0.99,
        learning_rate=1e-3,
        final_learning_rate=None,
        baseline="none",
        entropy_start=0.0,
        entropy_end=0.0,
        max_gradient_norm=UNBOUNDED,
    )
    return config, training_of(traits, 200_000, 1)


def _reinforce_thorough(traits: Traits, network: NetworkConfig) -> Settings:
    config, training = _reinforce_default(traits, network)
    return config, replace(training, total_steps=LONGER * training.total_steps)


SARSA = Presets(_sarsa_default, _sarsa_textbook, _sarsa_thorough)
REINFORCE = Presets(_reinforce_default, _reinforce_textbook, _reinforce_thorough)
