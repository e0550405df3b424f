"""The learners as a library, and Stable-Baselines3's own evaluation run on them."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import SyncVectorEnv

from sidestep.agents import REINFORCE, DeepSARSA, DeepSarsaConfig, NetworkConfig, ReinforceConfig
from sidestep.agents.models import is_single

ID = "sidestep/MovingObstacles-v0"


def gru() -> NetworkConfig:
    return NetworkConfig(hidden_sizes=(7,), memory="gru", memory_size=5, last_action=True)


@pytest.mark.parametrize("kind", [DeepSARSA, REINFORCE])
def test_learns_saves_and_loads_to_the_same_actions(kind, tmp_path):
    model = kind(ID, num_envs=8, seed=3).learn(500)
    assert model.num_timesteps >= 500
    before = model.num_timesteps
    assert model.learn(200).num_timesteps >= before + 200
    model.save(tmp_path / "model")
    again = kind.load(tmp_path / "model")
    obs = np.stack([model.env.single_observation_space.sample() for _ in range(11)])
    mine, _ = model.predict(obs, deterministic=True)
    theirs, _ = again.predict(obs, deterministic=True)
    assert mine.tolist() == theirs.tolist() and again.num_timesteps == model.num_timesteps
    random = [m.predict(obs, deterministic=False)[0].tolist() for m in (model, again)]
    assert random[0] == random[1]  # the exploration's stream is saved too


def test_predict_carries_memory_and_clears_it_at_an_episode_start():
    model = DeepSARSA(ID, DeepSarsaConfig(network=gru()), num_envs=2)
    space = model.env.single_observation_space
    a, b = (np.stack([space.sample(), space.sample()]) for _ in range(2))
    _, state = model.predict(a)
    _, carried = model.predict(b, state, np.array([False, True]), deterministic=True)
    _, fresh = model.predict(b, deterministic=True)
    torch.testing.assert_close(carried[0][:, 1], fresh[0][:, 1], rtol=0, atol=0)
    assert (carried[0][:, 0] - fresh[0][:, 0]).abs().max() > 1e-3


def test_one_observation_gives_one_action():
    model = REINFORCE(ID, num_envs=2)
    action, _ = model.predict(model.env.single_observation_space.sample())
    assert np.ndim(action) == 0 and 0 <= int(action) < 5


def test_predict_refuses_what_it_cannot_give():
    config = ReinforceConfig(network=NetworkConfig(last_reward=True))
    model = REINFORCE(ID, config, num_envs=2)
    with pytest.raises(ValueError, match="predict: expected an agent without last_reward"):
        model.predict(model.env.single_observation_space.sample())


def test_a_vector_env_without_id_needs_env_to_load(tmp_path):
    env = SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2)
    model = DeepSARSA(env).learn(20)
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="expected env="):
        DeepSARSA.load(tmp_path / "model")
    assert DeepSARSA.load(tmp_path / "model", env).num_timesteps == model.num_timesteps
    with pytest.raises(ValueError, match="expected reinforce, got deep-sarsa"):
        REINFORCE.load(tmp_path / "model", env)


def test_wrong_envs_are_refused():
    with pytest.raises(TypeError, match=r"expected an id, an EnvConfig or a .*VectorEnv, got"):
        DeepSARSA(gym.make("CartPole-v1"))
    with pytest.raises(TypeError, match=r"action space: expected Discrete.*got Box"):
        DeepSARSA("Pendulum-v1")


def test_wrong_settings_are_refused():
    with pytest.raises(TypeError, match=r"config: expected a DeepSarsaConfig, got .* Reinforce"):
        DeepSARSA(ID, ReinforceConfig())
    with pytest.raises(TypeError, match="config: expected a ReinforceConfig"):
        REINFORCE("MlpPolicy", "CartPole-v1")
    with pytest.raises(ValueError, match="num_envs: expected a whole number of at least 1, got 0"):
        DeepSARSA(ID, num_envs=0)


def test_is_single_by_space():
    box = gym.spaces.Box(0, 1, (3,))
    assert is_single(box, np.zeros(3)) and not is_single(box, np.zeros((1, 3)))
    assert is_single(gym.spaces.Discrete(4), 2) and not is_single(gym.spaces.Discrete(4), [2])
    pair = gym.spaces.Dict(a=box, b=gym.spaces.Discrete(2))
    assert is_single(pair, {"a": np.zeros(3), "b": 1})
    assert not is_single(gym.spaces.Tuple([box]), (np.zeros((5, 3)),))


@pytest.mark.parametrize("memory", ["none", "gru"])
def test_stable_baselines3_evaluates_our_agents(memory):
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    make_vec_env = pytest.importorskip("stable_baselines3.common.env_util").make_vec_env
    network = NetworkConfig(hidden_sizes=(8,), memory=memory, memory_size=8)
    model = DeepSARSA(ID, DeepSarsaConfig(network=network), num_envs=8).learn(300)
    env = make_vec_env(ID, 3, seed=0)
    returns, lengths = evaluation.evaluate_policy(
        model, env, n_eval_episodes=9, return_episode_rewards=True
    )
    assert len(returns) == 9 and all(1 <= length <= 100 for length in lengths)
    assert all(
        -1.05 - 0.05 * length - 1e-4 <= r <= 0.6 for r, length in zip(returns, lengths, strict=True)
    )
