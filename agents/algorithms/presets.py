"""Settings that are known to work: by learner, env and memory. Flags override them."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from sidestep.agents.environments import is_own
from sidestep.agents.settings import TrainingConfig

from .deep_sarsa import DeepSarsaConfig
from .learner import LearnerConfig
from .reinforce import ReinforceConfig

LONG_RETURNS = ("CartPole", "Acrobot", "MountainCar")
"""Envs with a reward of one on every tick of hundreds: their rewards are scaled by a tenth."""
SEVERAL_LEVELS = "sidestep/Crossing"
"""The world in which episodes draw their level."""
HIDES = "sidestep/Glimpse"
"""The world that shows its obstacles now and then."""

Settings = tuple[LearnerConfig, TrainingConfig]


class Presets(NamedTuple):
    """A learner's settings, each by the env's name (without its module) and the memory."""

    own: Callable[[str, str], Settings]
    """In this package's worlds of one level; measured, see docs/results.md."""
    several_levels: Callable[[str, str], Settings]
    """Where episodes draw their level; measured too."""
    foreign: Callable[[str, str], Settings]
    """In all other envs."""


def final_episodes(env_id: str) -> int:
    """Fresh episodes of the table at a run's end: few where an env steps one by one."""
    return 10_000 if is_own(env_id) else 100


def _sarsa_own(name: str, memory: str) -> Settings:
    training = TrainingConfig(total_steps=2_000_000, num_envs=256)
    config = DeepSarsaConfig()
    explored = 200_000  # env steps
    if name.startswith(HIDES):  # rollouts as long as an episode: a glimpse pays ticks later
        training = replace(training, total_steps=3_000_000, num_envs=64)
        config = replace(config, rollout_steps=32, trace_decay=0.95, minibatches=4)
        if memory in ("rnn", "gru", "attention"):  # else some runs only ever learn to wait
            config, explored = replace(config, learning_rate=1e-3), 1_000_000
    elif memory == "rnn":  # with rollouts of 4 one seed in ten stays below 99 % success
        training = replace(training, total_steps=3_000_000)
        config = replace(config, rollout_steps=8, minibatches=4)
    return replace(config, epsilon_fraction=explored / training.total_steps), training


def _sarsa_several_levels(name: str, memory: str) -> Settings:
    del name
    config = DeepSarsaConfig(
        rollout_steps=16,
        trace_decay=0.9,
        minibatches=8,
        epsilon_fraction=0.25,
        learning_rate=3e-3 if memory == "none" else 1e-3,
    )
    return config, TrainingConfig(total_steps=2_000_000, num_envs=128)


def _sarsa_foreign(name: str, memory: str) -> Settings:
    """Close to PQN's on CartPole (Gallici et al. 2024)."""
    del memory
    config = DeepSarsaConfig(
        discount=0.99,
        trace_decay=0.95,
        learning_rate=1e-3,
        final_learning_rate=0.0,
        rollout_steps=64,
        minibatches=4,
        epochs=2,
        epsilon_fraction=1 / 3,
        max_gradient_norm=10.0,
        reward_scale=_reward_scale(name),
    )
    training = _foreign_training()
    if name.startswith("Acrobot"):  # -101 on average after the default steps
        config = replace(
            config, normalize_observations=True, trace_decay=0.9, rollout_steps=16, minibatches=2
        )
        training = replace(training, num_envs=16)
    return config, training


def _reinforce_own(name: str, memory: str) -> Settings:
    del memory
    total_steps = 3_000_000 if name.startswith(HIDES) else 2_000_000
    config = ReinforceConfig(entropy_fraction=1_000_000 / total_steps)
    return config, TrainingConfig(total_steps=total_steps, num_envs=128)


def _reinforce_several_levels(name: str, memory: str) -> Settings:
    """Rollouts of 16, as Deep SARSA's: with whole episodes it reaches less in the same time."""
    del name, memory
    config = ReinforceConfig(
        batch="rollout",
        rollout_steps=16,
        trace_decay=0.9,
        discount=0.97,
        learning_rate=1e-3,
        entropy_start=0.05,
        entropy_fraction=0.5,
    )
    return config, TrainingConfig(total_steps=2_000_000, num_envs=128)


def _reinforce_foreign(name: str, memory: str) -> Settings:
    del memory
    config = ReinforceConfig(
        learning_rate=2e-3,
        final_learning_rate=0.0,
        entropy_start=0.01,
        entropy_end=0.0,
        entropy_fraction=0.5,
        max_gradient_norm=0.5,
        reward_scale=_reward_scale(name),
    )
    return config, replace(_foreign_training(), total_steps=600_000)


def _foreign_training() -> TrainingConfig:
    """Few lanes, and long rollouts beside them: most envs step one by one, and reward late."""
    return TrainingConfig(
        total_steps=300_000,
        num_envs=32,
        evaluate_every=50_000,
        evaluation_episodes=32,
        checkpoint_every=100_000,
    )


def _reward_scale(name: str) -> float:
    return 0.1 if name.startswith(LONG_RETURNS) else 1.0


SARSA = Presets(_sarsa_own, _sarsa_several_levels, _sarsa_foreign)
REINFORCE = Presets(_reinforce_own, _reinforce_several_levels, _reinforce_foreign)
