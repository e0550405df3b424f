"""The one file's networks, rollouts and episodes made from the package's, to compare the two."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sidestep.agents import (
    Agent,
    DeepSarsa,
    DeepSarsaConfig,
    EnvConfig,
    NetworkConfig,
    Reinforce,
    ReinforceConfig,
    make_vector,
)

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "one_file"
FILES = ("deep_sarsa", "reinforce_gru")
LANES, LIMIT, EPSILON, ENTROPY = 37, 5, 0.3, 0.05
WORLD = EnvConfig(max_episode_steps=LIMIT)
"""So short that a few ticks hold ends of both kinds."""


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"one_file_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


SARSA, GRU = (load(name) for name in FILES)


def make_agent(config: Any, dtype: torch.dtype = torch.float32, seed: int = 3) -> Agent:
    env = make_vector(WORLD, 1)
    kind: Any = DeepSarsa if isinstance(config, DeepSarsaConfig) else Reinforce
    torch.set_default_dtype(dtype)
    try:
        agent: Agent = kind(env.single_observation_space, env.single_action_space, config, seed)
    finally:
        torch.set_default_dtype(torch.float32)
    return agent


def sarsa_config(**options: Any) -> DeepSarsaConfig:
    options = {"minibatches": 1, **options}
    return DeepSarsaConfig(epsilon_start=EPSILON, epsilon_end=EPSILON, **options)


def gru_config(**options: Any) -> ReinforceConfig:
    network = NetworkConfig(hidden_sizes=(64,), memory="gru", memory_size=64)
    return ReinforceConfig(network=network, entropy_start=ENTROPY, entropy_end=ENTROPY, **options)


def network_like(agent: Agent) -> Any:
    """The one file's network, with the parameters of `agent`."""
    weights = agent.network.state_dict()
    dtype = weights["head.weight"].dtype
    width = weights["encoder.linear.0.weight"].shape[1]
    if isinstance(agent, DeepSarsa):
        network: nn.Module = SARSA.QNetwork(width, agent.num_actions, 64)
    else:
        network = GRU.PolicyNetwork(width, agent.num_actions, 64, 64)
    network.to(dtype).load_state_dict({renamed(name): w for name, w in weights.items()})
    return network


def renamed(name: str) -> str:
    """The encoder's layers have places in a row there, and kinds here."""
    for kind, first in (("linear", 0), ("norm", 1)):
        if name.startswith(f"encoder.{kind}."):
            _, _, layer, what = name.split(".")
            return f"encoder.{3 * int(layer) + first}.{what}"
    return name


def optimizer_of(network: nn.Module, settings: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=settings.learning_rate, eps=1e-5)


def assert_same_parameters(network: nn.Module, agent: Agent, tolerance: float) -> None:
    ours = {renamed(name): w for name, w in agent.network.state_dict().items()}
    theirs = network.state_dict()
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(
            theirs[name], weight, atol=tolerance, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
        )


def rollout_of(rollout: Any) -> Any:
    """The package's rollout as the one file's."""
    return SARSA.Rollout(
        rollout.inputs.obs,
        rollout.action,
        rollout.reward,
        rollout.terminated,
        rollout.truncated,
        rollout.valid,
    )


def episodes_of(rollout: Any) -> Any:
    """Whole episodes likewise."""
    obs, action, *rest = rollout_of(rollout)
    return GRU.Episodes(obs, action[:-1], *rest)


def in_double(rollout: Any, agent: Agent) -> Any:
    """The rollout in double precision, with `agent`'s values of the observations before a cut."""
    inputs = rollout.inputs._replace(
        obs=rollout.inputs.obs.double(), last_reward=rollout.inputs.last_reward.double()
    )
    state = agent.initial_state(rollout.reward.shape[1])
    with torch.no_grad():
        output, _ = agent.network(inputs, state)
        values = torch.where(rollout.truncated, agent.values(output, None)[1:], 0.0)
    return rollout._replace(
        inputs=inputs, reward=rollout.reward.double(), final_value=values, state=state
    )


def scattered(rollout: Any, seed: int) -> Any:
    """The rollout with ends, cuts, restarts and rewards anywhere: also where no env puts them."""
    random = torch.Generator().manual_seed(seed)
    shape = rollout.reward.shape
    kind = torch.randint(5, shape, generator=random)
    return rollout._replace(
        reward=torch.randn(shape, generator=random),
        terminated=kind == 0,
        truncated=kind == 1,
        valid=kind != 2,
    )


class Careless:
    """A vector env that takes liberties.

    It says truncated too where the task ended, returns the same arrays at each step, and a reward
    that is no number where a lane only restarts.
    """

    def __init__(self) -> None:
        self.env, self.num_envs = make_vector(WORLD, LANES), LANES
        self.arrays: Any = None
        self.over = np.zeros(LANES, dtype=np.bool_)

    def reset(self, **options: Any) -> Any:
        obs, info = self.env.reset(**options)
        self.over = np.zeros(LANES, dtype=np.bool_)
        return self._again(obs, np.zeros(LANES), *np.zeros((2, LANES), dtype=np.bool_))[0], info

    def step(self, actions: Any) -> Any:
        obs, reward, terminated, truncated, info = self.env.step(actions)
        reward, self.over = np.where(self.over, np.nan, reward), terminated | truncated
        return *self._again(obs, reward, terminated, self.over), info

    def _again(self, *arrays: Any) -> Any:
        self.arrays = self.arrays or arrays
        for kept, new in zip(self.arrays, arrays, strict=True):
            kept[...] = new
        return self.arrays


def package_agent(network: nn.Module, config: Any) -> Agent:
    """An agent of the package, with the parameters of the one file's network."""
    agent = make_agent(config)
    theirs = network.state_dict()
    names = agent.network.state_dict()
    agent.network.load_state_dict({name: theirs[renamed(name)] for name in names})
    return agent
