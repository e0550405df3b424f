"""A copied or pickled learner learns on as the one that it was made from."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch

from sidestep.agents import REINFORCE, DeepSARSA, DeepSarsaConfig, NetworkConfig, ReinforceConfig


def pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def weights(agent: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in agent.network.parameters()])


@pytest.mark.parametrize("kind", [DeepSARSA, REINFORCE])
@pytest.mark.parametrize("way", [copy.deepcopy, pickled])
@pytest.mark.parametrize("trained", [0, 200])
def test_a_copy_learns_as_the_original(kind: Any, way: Callable[[Any], Any], trained: int) -> None:
    config = DeepSarsaConfig if kind is DeepSARSA else ReinforceConfig
    network = NetworkConfig((7,), "gru", 5)
    model = kind("sidestep/MovingObstacles-v0", config(network=network), num_envs=3, seed=1)
    if trained:
        model.learn(trained)
    before = weights(model.agent)
    twin = way(model)
    assert torch.equal(weights(twin.agent), before)
    twin.learn(300)
    assert torch.equal(weights(model.agent), before)  # they share nothing
    assert torch.equal(weights(twin.agent), twin.agent.flat) and not weights(twin.agent).equal(
        before
    )
    model.learn(300)
    assert torch.equal(weights(twin.agent), weights(model.agent))


def test_a_shallow_copy_shares_its_parameters() -> None:
    network = NetworkConfig((7,), "none")
    model = DeepSARSA("sidestep/MovingObstacles-v0", DeepSarsaConfig(network=network), num_envs=2)
    agent = copy.copy(model.agent)
    assert agent.flat is model.agent.flat and agent.network is model.agent.network
    model.learn(200)
    assert torch.equal(weights(agent), agent.flat)
