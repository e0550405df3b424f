"""One env, played tick by tick, shows the agent what it was shown in training."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from sidestep.agents import DeepSarsa, DeepSarsaConfig, NetworkConfig, evaluate
from sidestep.agents.player import Player
from sidestep.sequence import MEMORIES

from .toys import MODES, Native, Scripted


@pytest.mark.parametrize("memory", MEMORIES)
def test_playing_equals_evaluating(memory: str) -> None:
    network = NetworkConfig((7,), memory, 5, 1, 3, last_action=True, last_reward=True)
    config = DeepSarsaConfig(network=network, reward_scale=0.125, normalize_observations=True)
    agent = DeepSarsa(Scripted.observation_space, spaces.Discrete(3), config, seed=6)
    agent.encoder(np.random.default_rng(0).normal(size=(99, 3)) * 3 + 2)
    want = evaluate(agent, Native(MODES[0], lanes=1), 8, seed=0)
    before = {name: value.clone() for name, value in agent.state_dict().items()}
    player, env, returns, seen = Player(agent), Scripted(0), [], set()
    for episode in range(8):
        obs, info = env.reset(seed=0 if episode == 0 else None)
        begun, reward, total, over = True, 0.0, 0.0, False
        while not over:
            action = player.act(obs, begun, np.float64(reward), info)
            assert info["action_mask"][action]
            seen.add(action)
            obs, reward, terminated, truncated, info = env.step(action)
            begun, total, over = False, total + reward, terminated or truncated
        returns.append(total)
    assert returns == want.returns.tolist() and len(seen) > 1
    after = agent.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert agent.encoder.frozen is False


def test_exploration_has_a_stream_of_its_own() -> None:
    config = DeepSarsaConfig(network=NetworkConfig((7,)), epsilon_start=1.0)
    agent = DeepSarsa(Scripted.observation_space, spaces.Discrete(3), config)
    obs: Any = np.zeros(3, np.float32)

    def actions(seed: int) -> list[int]:
        player = Player(agent, greedy=False, seed=seed)
        return [player.act(obs, False) for _ in range(40)]

    first = actions(1)
    agent.random.tick += 5
    assert actions(1) == first != actions(2)
    assert set(first) == {0, 1, 2}
