"""Settings that are known to work: by learner, env and memory. Flags override them."""

from dataclasses import replace

from .agent import LearnerConfig
from .deep_sarsa import DeepSarsaConfig
from .networks import NetworkConfig
from .reinforce import ReinforceConfig
from .settings import TrainingConfig


def preset(learner: str, env_id: str, memory: str) -> tuple[LearnerConfig, TrainingConfig]:
    """The learner's configuration and the training's, for `env_id` (without its module).

    Args:
        learner: deep-sarsa or reinforce.
        env_id: any id; unknown ones get the defaults.
        memory: the network's memory.
    """
    config: LearnerConfig
    if learner == "deep-sarsa":
        config, training = DeepSarsaConfig(), TrainingConfig(total_steps=2_000_000, num_envs=256)
    else:
        config, training = ReinforceConfig(), TrainingConfig(total_steps=1_500_000, num_envs=128)
    hidden = (64, 64) if memory == "none" else (64,)
    config = replace(config, network=NetworkConfig(hidden_sizes=hidden, memory=memory))
    return config, training
