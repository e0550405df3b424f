"""The learners as a library: `DeepSARSA("CartPole-v1").learn(100_000)`, `predict`, `save`, `load`.

Names and signatures are Stable-Baselines3's, so that code written for its models, its
`evaluate_policy` above all, runs on these unchanged.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array
from numpy.typing import NDArray

from .agent import Agent, LearnerConfig, borrowed
from .checkpoint import load_checkpoint, save_checkpoint
from .environments import EnvConfig, check_action_space, make_vector
from .presets import preset
from .runs import LEARNERS, device_of, learner_config
from .training import Report, Trainer
from .types import Inputs

Hidden = tuple[Any, NDArray[np.int64]]
"""What `predict` hands on between calls: the memory's state and the last actions."""


class Algorithm:
    """A learner with its env.

    Args:
        env: a Gymnasium id, an `EnvConfig`, or a vector env with any autoreset mode.
        config: the learner's settings; None: the preset for the id, else the defaults.
        num_envs: lanes, where `env` is not a vector env already; None: the preset's.
        seed: of parameters, exploration and worlds.
        device: auto (the CPU) or a torch device.

    Raises:
        TypeError, ValueError, gymnasium.error.Error: no such env, or one that cannot be learned.
    """

    learner: ClassVar[str]

    def __init__(
        self,
        env: str | EnvConfig | VectorEnv[Any, Any, Any],
        config: LearnerConfig | None = None,
        *,
        num_envs: int | None = None,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        """Make the env and the agent."""
        self.env_config = EnvConfig(env) if isinstance(env, str) else env
        env_id = self.env_config.id if isinstance(self.env_config, EnvConfig) else ""
        memory = "none" if config is None else config.network.memory
        known, training = preset(self.learner, env_id, memory)
        if isinstance(self.env_config, EnvConfig):
            self.env = make_vector(self.env_config, num_envs or training.num_envs)
        elif isinstance(env, VectorEnv):
            check_action_space(env.single_action_space)
            self.env = env
        else:
            raise TypeError(
                "env: expected an id, an EnvConfig or a gymnasium.vector.VectorEnv, got "
                f"{type(env).__name__}; put a single env into SyncVectorEnv([lambda: env])"
            )
        self.training = replace(training, num_envs=self.env.num_envs, seed=seed)
        agent_class, _ = LEARNERS[self.learner]
        self.agent: Agent = agent_class(
            self.env.single_observation_space,
            self.env.single_action_space,
            config or known,
            seed,
            device_of(device),
        )
        self._trainer: Trainer | None = None

    @property
    def num_timesteps(self) -> int:
        """Env ticks learned from."""
        return self.agent.steps

    def learn(self, total_timesteps: int, callback: Report | None = None) -> Self:
        """Train for `total_timesteps` further env ticks.

        Args:
            total_timesteps: over all lanes.
            callback: called after every update with a `Progress`; returning False stops.

        Returns:
            This object.
        """
        total = self.agent.steps + total_timesteps
        config = replace(self.training, total_steps=total, evaluate_every=0)
        if self._trainer is None:
            self._trainer = Trainer(self.agent, self.env, config)
        self._trainer.config = config
        self._trainer.run(callback)
        return self

    def predict(
        self,
        observation: Any,
        state: Hidden | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.int64], Hidden]:
        """Actions for one observation or a batch of them.

        Args:
            observation: of the env's space, or a batch (B, ...) of such.
            state: what the last call returned; None at the beginning.
            episode_start: (B,) bool, True where the memory is to be cleared; None: where `state`
                is None.
            deterministic: without exploration.

        Returns:
            (B,) int64 actions (() for one observation), and the state for the next call.

        Raises:
            ValueError: the agent takes its last reward as an input, which this call cannot give.
        """
        if self.agent.config.network.last_reward:
            raise ValueError("predict: expected an agent without last_reward, got one with it")
        space = self.agent.observation_space
        single = is_single(space, observation)
        if single:
            empty: Any = create_empty_array(space, 1)
            observation = concatenate(space, [observation], empty)
        with borrowed(self.agent, self.agent.random):
            encoded = self.agent.encoder(observation, self.agent.device)
            lanes = len(encoded)
            if episode_start is None:
                episode_start = np.full(lanes, state is None)
            if state is None:
                state = (self.agent.initial_state(lanes), np.zeros(lanes, dtype=np.int64))
            inputs = Inputs(
                encoded,
                torch.from_numpy(np.asarray(episode_start, dtype=np.bool_)).to(self.agent.device),
                torch.from_numpy(state[1]).to(self.agent.device),
                torch.zeros(lanes, device=self.agent.device),
            )
            actions, memory = self.agent.act(inputs, state[0], deterministic)
        return (actions[0] if single else actions), (memory, actions)

    def save(self, path: str | Path) -> None:
        """Write the agent to `path`.json and a safetensors file beside it, atomically."""
        path = Path(path)
        env = asdict(self.env_config) if isinstance(self.env_config, EnvConfig) else None
        facts: dict[str, Any] = {
            "learner": self.learner,
            "env": env,
            "agent": asdict(self.agent.config),
            "seed": self.training.seed,
            "num_envs": self.env.num_envs,
        }
        name = path.name.removesuffix(".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(path.parent, name, self.agent.state_dict(), facts)

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: str | EnvConfig | VectorEnv[Any, Any, Any] | None = None,
        device: str = "auto",
    ) -> Self:
        """Read what `save` wrote; learning can go on.

        Args:
            path: as given to `save`.
            env: needed where the saved agent was trained in a vector env without an id.
            device: auto (the CPU) or a torch device.

        Raises:
            FileNotFoundError, ValueError: missing, damaged, another learner's, or no env.
        """
        path = Path(path)
        path = path if path.suffix == ".json" else path.with_name(f"{path.name}.json")
        tensors, facts = load_checkpoint(path)
        if facts.get("learner") != cls.learner:
            raise ValueError(f"{path}: expected {cls.learner}, got {facts.get('learner')}")
        if env is None:
            if facts["env"] is None:
                raise ValueError(f"{path}: expected env=, it was trained in an env without an id")
            env = EnvConfig(**{**facts["env"], "kwargs": tuple(facts["env"]["kwargs"])})
        config = learner_config(cls.learner, facts["agent"], str(path))
        algorithm = cls(env, config, num_envs=facts["num_envs"], seed=facts["seed"], device=device)
        algorithm.agent.load_state_dict(tensors)
        return algorithm


class DeepSARSA(Algorithm):
    """Deep SARSA as a library; see `Algorithm` and `DeepSarsaConfig`."""

    learner = "deep-sarsa"


class REINFORCE(Algorithm):
    """REINFORCE as a library; see `Algorithm` and `ReinforceConfig`."""

    learner = "reinforce"


def is_single(space: spaces.Space[Any], observation: Any) -> bool:
    """Whether `observation` is one observation of `space`, and not a batch of them."""
    match space:
        case spaces.Dict():
            name = next(iter(space.keys()))
            return is_single(space[name], observation[name])
        case spaces.Tuple():
            return is_single(space.spaces[0], observation[0])
    return np.ndim(observation) == len(space.shape or ())
