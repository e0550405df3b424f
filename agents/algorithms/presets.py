"""Settings that are known to work, by what an env is like and by the memory. Flags override them.

Nothing here asks for an env's name. Rewards of any size are divided by the running deviation of
their returns; schedules are parts of the training's length.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

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
ROLLOUT = 128
"""Ticks of a rollout with a memory; twice as many where episodes may be longer: one that is cut by
the rollout's end teaches nothing of what was seen before."""
ENDLESS: dict[str, Any] = {"discount": 0.95, "trace_decay": 0.8, "rollout_steps": 32}
"""With a memory, where an episode may last for ever so long: credit for what an action brings soon,
and many updates. What is remembered is learned through the memory: that needs no far look ahead."""


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
    if network.is_gated and not traits.is_quick:  # as long as the rollouts below, or an episode
        network = replace(network, memory_span=traits.time_limit if traits.is_long else ROLLOUT)
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
    config = DeepSarsaConfig(
        discount=0.99,
        trace_decay=0.9,
        final_learning_rate=3e-5,
        minibatches=4,
        normalize_observations=traits.unscaled,
        normalize_rewards=not traits.is_quick,
        reward_limit=None if traits.is_quick else 10.0,
    )
    if traits.is_quick:
        return _sarsa_quick(traits, network, config)
    if network.remembers:
        config = replace(config, rollout_steps=ROLLOUT, minibatches=8, trace_decay=0.95)
        config = replace(config, epsilon_end=0.02)
        if traits.is_endless:
            config = replace(config, **ENDLESS)
        if traits.is_long:
            config = replace(config, rollout_steps=2 * ROLLOUT)
        return config, training_of(traits, 5_000_000 if traits.is_long else 1_000_000, 16)
    config = replace(
        config,
        learning_rate=1e-3,
        rollout_steps=64,
        epochs=8 if traits.unscaled else 2 - traits.is_table,  # a table is learned by heart
        minibatches=4 if traits.unscaled else 8,
        epsilon_end=0.0 if traits.unscaled else 0.02,
        epsilon_fraction=0.5,
        epsilon_repeat=0.95 if traits.unscaled else 0.0,  # to pick up a key again is no far way
        repeat_where_cut=traits.unscaled,
        max_gradient_norm=10.0,
    )
    return config, training_of(traits, 500_000, 16)


def _sarsa_quick(traits: Traits, network: NetworkConfig, config: DeepSarsaConfig) -> Settings:
    """Where many short episodes cost little.

    Exploring little and ever less brings values near those of acting greedily: an agent that
    expects to stumble keeps away from where it pays to pass.
    """
    if traits.is_picture:
        slow = network.remembers
        config = replace(config, rollout_steps=16, trace_decay=0.9, minibatches=8, discount=0.95)
        config = replace(config, epsilon_fraction=0.25, learning_rate=1e-3 if slow else 3e-3)
        return config, training_of(traits, 8_000_000, 128)
    if network.remembers:  # a glimpse pays ticks later
        config = replace(config, rollout_steps=32, discount=0.95, learning_rate=1e-3)
        config = replace(config, trace_decay=0.95)
        return replace(config, epsilon_fraction=1 / 3), training_of(traits, 6_000_000, 16)
    config = replace(config, rollout_steps=4, trace_decay=0.8, discount=0.95)
    config = replace(config, epsilon_start=0.3, epsilon_end=0.0, epsilon_fraction=1.0)
    return config, training_of(traits, 2_000_000, 64)


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
        entropy_start=0.03,
        entropy_end=0.0,
        normalize_observations=traits.unscaled,
        normalize_rewards=not traits.is_quick,
        reward_limit=None if traits.is_quick else 10.0,
    )
    if traits.is_quick:
        return _reinforce_quick(traits, network, config)
    if not network.remembers:
        if not traits.unscaled:  # each code's best action has to be found by itself
            return replace(config, entropy_start=0.1), training_of(traits, 500_000, 16)
        # numbers of a body in motion: what an action is worth shows late
        config = replace(config, discount=0.995, trace_decay=0.98, rollout_steps=64)
        return replace(config, entropy_fraction=0.5), training_of(traits, 500_000, 8)
    config = replace(config, entropy_start=0.05)
    if traits.is_endless:
        config = replace(config, entropy_fraction=0.5, **ENDLESS)
        return config, training_of(traits, 1_000_000, 16)
    config = replace(config, batch="episodes", trace_decay=1.0, normalize_advantages=True)
    return config, training_of(traits, 3_000_000 if traits.is_long else 1_000_000, 8)


def _reinforce_quick(traits: Traits, network: NetworkConfig, config: ReinforceConfig) -> Settings:
    """Where many short episodes cost little.

    Few lanes: small batches do not settle on waiting for the one path that they know, as large
    ones do, and learn from fewer ticks.
    """
    if traits.is_picture:  # with whole episodes it reaches less in the same time
        config = replace(config, trace_decay=0.9, discount=0.97, learning_rate=1e-3)
        config = replace(config, entropy_start=0.05, max_gradient_norm=1.0)
        return config, training_of(traits, 16_000_000, 128)
    config = replace(config, batch="episodes", trace_decay=1.0, learning_rate=3e-3)
    config = replace(config, entropy_start=0.05, entropy_fraction=0.5)
    if network.remembers:
        return config, training_of(traits, 6_000_000, 16)
    return replace(config, discount=0.98), training_of(traits, 3_000_000, 16)


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
