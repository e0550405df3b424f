"""Both learners on small tasks whose answer is known."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import SyncVectorEnv, VectorEnv

from sidestep.agents import (
    Agent,
    DeepSarsa,
    DeepSarsaConfig,
    EnvConfig,
    NetworkConfig,
    Reinforce,
    ReinforceConfig,
    Trainer,
    TrainingConfig,
    evaluate,
    make_vector,
)
from sidestep.agents.algorithms.registry import preset
from sidestep.sequence import MEMORIES

from .worlds import Chain, Identity, Recall

pytestmark = pytest.mark.slow


def learn(env: VectorEnv[Any, Any, Any], config: Any, steps: int, enough: float = 1e9) -> Agent:
    """Train to `steps`, or until the last 200 episodes brought `enough` on average."""
    make: Any = DeepSarsa if isinstance(config, DeepSarsaConfig) else Reinforce
    agent: Agent = make(env.single_observation_space, env.single_action_space, config, 0)
    training = TrainingConfig(steps, env.num_envs, evaluate_every=0)
    Trainer(agent, env, training).run(lambda p: p.metrics.get("return", 0.0) < enough)
    return agent


@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
@pytest.mark.parametrize("sizes", [(), (32,)])
def test_identity(learner: str, sizes: tuple[int, ...]) -> None:
    network = NetworkConfig(sizes)
    config: Any = DeepSarsaConfig(network=network, discount=0.5, epsilon_steps=20_000,
                                  learning_rate=1e-2)  # fmt: skip
    if learner == "reinforce":
        config = ReinforceConfig(network=network, discount=0.5, entropy_steps=40_000,
                                 entropy_end=0.0, learning_rate=1e-2)  # fmt: skip
    agent = learn(Identity(32), config, 80_000)
    assert (evaluate(agent, Identity(10), 50, seed=1).returns == 10).all()


EPSILON, GAMMA = 0.4, 0.9


def chain_values() -> Any:
    """Q of the epsilon-greedy policy whose greedy action is 1 everywhere, by iteration."""
    q = np.zeros((2, 2))
    for _ in range(1000):
        v = q @ [EPSILON / 2, 1 - EPSILON / 2]
        q = np.array([[-0.1 + GAMMA * v[0], -0.1 + GAMMA * v[1]], [-0.1 + GAMMA * v[1], 1.0]])
    return q


@pytest.mark.parametrize("target", ["sarsa", "expected"])
@pytest.mark.parametrize("decay", [0.0, 0.8])
def test_the_chain_has_the_values_of_the_exploring_policy(target: str, decay: float) -> None:
    want = chain_values()
    # by hand: going on from the second state brings 1; staying there -0.1 and then v = 0.8 + 0.2 q
    stay = (-0.1 + GAMMA * 0.8) / (1 - GAMMA * 0.2)
    assert want[1].tolist() == pytest.approx([stay, 1.0])
    config = DeepSarsaConfig(
        network=NetworkConfig(()),
        discount=GAMMA,
        trace_decay=decay,
        target=target,
        loss="squared",
        epsilon_start=EPSILON,
        epsilon_end=EPSILON,
        learning_rate=0.02,
        final_learning_rate=1e-4,
        rollout_steps=8,
        minibatches=1,
    )
    agent = learn(Chain(64), config, 250_000)
    head = agent.network.head
    q = (head.weight + head.bias.unsqueeze(1)).detach().t().numpy()
    np.testing.assert_allclose(q, want, atol=0.02)


def test_sarsa_walks_the_safe_path_along_the_cliff() -> None:
    """Sutton & Barto (2018), example 6.6: with exploration the edge is not worth its risk."""
    lanes = 16
    env = SyncVectorEnv([lambda: gym.make("CliffWalking-v1", max_episode_steps=500)] * lanes)
    config = DeepSarsaConfig(
        network=NetworkConfig(()),
        discount=1.0,
        target="sarsa",
        trace_decay=0.0,
        loss="squared",
        epsilon_start=0.1,
        epsilon_end=0.1,
        learning_rate=0.03,
        final_learning_rate=1e-3,
        rollout_steps=8,
        minibatches=1,
        max_gradient_norm=100.0,
        reward_scale=0.1,
    )
    agent = learn(env, config, 300_000)
    head = agent.network.head
    q = (head.weight + head.bias.unsqueeze(1)).detach().t()  # (48, 4)
    single, path, total = gym.make("CliffWalking-v1"), [], 0.0
    state, _ = single.reset(seed=0)
    for _ in range(60):
        state, reward, over, _, _ = single.step(int(q[state].argmax()))
        path.append(int(state))
        total += float(reward)
        if over:
            break
    rows = [state // 12 for state in path]
    assert path[-1] == 47 and total >= -21  # no fall, not much of a detour
    assert rows.count(2) <= 4  # up and down, and not the eleven cells along the edge
    assert total < -13  # the shortest path runs along the edge


@pytest.mark.parametrize("memory", MEMORIES)
def test_only_a_memory_recalls_over_twenty_ticks(memory: str) -> None:
    network = NetworkConfig((), memory, 16, memory_window=24)
    config = ReinforceConfig(
        network=network,
        discount=1.0,
        baseline="value",
        learning_rate=7e-3,
        max_gradient_norm=0.5,
        entropy_start=0.02,
        entropy_end=0.005,
        entropy_steps=200_000,
    )
    agent = learn(Recall(64), config, 60_000 if memory == "none" else 1_500_000, enough=0.99)
    share = float((evaluate(agent, Recall(50), 1000, seed=7).returns == 1).mean())
    if memory == "none":
        assert 0.4 < share < 0.6
    else:
        assert share > 0.98


@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_the_default_world_is_crossed(learner: str) -> None:
    world = EnvConfig()
    config, training = preset(learner, world.id, "none")
    env = make_vector(world, training.num_envs)
    make: Any = DeepSarsa if learner == "deep-sarsa" else Reinforce
    agent = make(env.single_observation_space, env.single_action_space, config, 0)
    settings = {"evaluate_every": 50_000, "stop_at_success": 0.98}
    training = TrainingConfig(training.total_steps, training.num_envs, **settings)  # type: ignore
    Trainer(agent, env, training, make_vector(world, 500)).run()
    success = evaluate(agent, make_vector(world, 500), 2000, seed=99).success
    assert success is not None and success.mean() >= 0.95
    assert torch.isfinite(agent.flat).all()


@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_cartpole_is_balanced(learner: str) -> None:
    """475 is what Gymnasium calls solved; 500 is the most there is."""
    task = EnvConfig("CartPole-v1")
    config, training = preset(learner, task.id, "none")
    env = make_vector(task, training.num_envs)
    make: Any = DeepSarsa if learner == "deep-sarsa" else Reinforce
    agent = make(env.single_observation_space, env.single_action_space, config, 0)
    Trainer(agent, env, replace(training, evaluate_every=0)).run()
    assert evaluate(agent, make_vector(task, 50), 100, seed=99).returns.mean() >= 475
