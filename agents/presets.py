"""Settings that are known to work: by learner, env and memory. Flags override them."""

from dataclasses import replace

from .agent import LearnerConfig
from .deep_sarsa import DeepSarsaConfig
from .networks import NetworkConfig
from .reinforce import ReinforceConfig
from .settings import TrainingConfig

LONG_RETURNS = ("CartPole", "Acrobot", "MountainCar")
"""Envs with a reward of one on every tick of hundreds: their rewards are scaled by a tenth."""
SEVERAL_LEVELS = "sidestep/Crossing"
"""The world in which episodes draw their level."""


def preset(learner: str, env_id: str, memory: str) -> tuple[LearnerConfig, TrainingConfig]:
    """The learner's configuration and the training's, for `env_id` (without its module).

    Args:
        learner: deep-sarsa or reinforce.
        env_id: any id; this package's worlds have settings of their own, other envs share some.
        memory: the network's memory.
    """
    if env_id.startswith("sidestep/"):
        config, training = _own(learner, env_id, memory)
    else:
        config, training = _foreign(learner, env_id)
    network = NetworkConfig(hidden_sizes=(64, 64), memory=memory)
    if env_id.startswith(SEVERAL_LEVELS):  # a view of 7x7 cells: too small for convolutions
        past = memory != "none"
        network = replace(network, hidden_sizes=(128, 128), channels=(), skip_connection=past)
    elif memory != "none":
        network = replace(network, hidden_sizes=network.hidden_sizes[:1])
    return replace(config, network=network), training


def _own(learner: str, env_id: str, memory: str) -> tuple[LearnerConfig, TrainingConfig]:
    """This package's worlds; measured, see docs/results.md."""
    if env_id.startswith(SEVERAL_LEVELS):
        training = TrainingConfig(total_steps=2_000_000, num_envs=128)
        return _several_levels(learner, memory), training
    hides = env_id.startswith("sidestep/Glimpse")
    total_steps = 3_000_000 if hides else 2_000_000
    if learner == "reinforce":
        return ReinforceConfig(), TrainingConfig(total_steps=total_steps, num_envs=128)
    if hides:  # rollouts as long as an episode: what was glimpsed pays ticks later
        config = DeepSarsaConfig(rollout_steps=32, trace_decay=0.95, minibatches=4)
        if memory in ("rnn", "gru", "attention"):  # else some runs only ever learn to wait
            config = replace(config, learning_rate=1e-3, epsilon_steps=1_000_000)
        return config, TrainingConfig(total_steps=total_steps, num_envs=64)
    if memory == "rnn":  # with rollouts of 4 one seed in ten stays below 99 % success
        config = DeepSarsaConfig(rollout_steps=8, minibatches=4)
        return config, TrainingConfig(total_steps=3_000_000, num_envs=256)
    return DeepSarsaConfig(), TrainingConfig(total_steps=total_steps, num_envs=256)


def _several_levels(learner: str, memory: str) -> LearnerConfig:
    """Rollouts of 16 for both: REINFORCE with whole episodes reaches less in the same time."""
    if learner == "reinforce":
        return ReinforceConfig(
            batch="rollout",
            rollout_steps=16,
            trace_decay=0.9,
            discount=0.97,
            learning_rate=1e-3,
            entropy_start=0.05,
        )
    return DeepSarsaConfig(
        rollout_steps=16,
        trace_decay=0.9,
        minibatches=8,
        epsilon_steps=500_000,
        learning_rate=3e-3 if memory == "none" else 1e-3,
    )


def _foreign(learner: str, env_id: str) -> tuple[LearnerConfig, TrainingConfig]:
    """Few lanes and long rollouts: most envs step one by one, and reward late.

    Deep SARSA's are close to those of PQN on CartPole (Gallici et al. 2024).
    """
    scale = 0.1 if env_id.startswith(LONG_RETURNS) else 1.0
    training = TrainingConfig(
        total_steps=300_000,
        num_envs=32,
        evaluate_every=50_000,
        evaluation_episodes=32,
        checkpoint_every=100_000,
    )
    if learner == "deep-sarsa":
        sarsa = DeepSarsaConfig(
            discount=0.99,
            trace_decay=0.95,
            learning_rate=1e-3,
            final_learning_rate=0.0,
            rollout_steps=64,
            minibatches=4,
            epochs=2,
            epsilon_steps=100_000,
            max_gradient_norm=10.0,
            reward_scale=scale,
        )
        if env_id.startswith("Acrobot"):  # -101 on average after the default steps
            sarsa = replace(
                sarsa,
                normalize_observations=True,
                trace_decay=0.9,
                rollout_steps=16,
                minibatches=2,
            )
            training = replace(training, num_envs=16)
        return sarsa, training
    config = ReinforceConfig(
        learning_rate=2e-3,
        final_learning_rate=0.0,
        entropy_start=0.01,
        entropy_end=0.0,
        entropy_steps=300_000,
        max_gradient_norm=0.5,
        reward_scale=scale,
    )
    return config, replace(training, total_steps=600_000)
