"""Running moments and the reward scale against numpy."""

import numpy as np
import pytest
import torch

from sidestep.agents import DeepSarsa, DeepSarsaConfig, EnvConfig, Trainer, TrainingConfig
from sidestep.agents.environments import make_vector
from sidestep.agents.normalization import RewardScaler, RunningMoments


def test_moments_in_parts_equal_numpy_on_the_whole():
    rows = np.random.default_rng(0).normal(3.0, 2.0, (101, 5))
    moments = RunningMoments((5,))
    for part in np.split(rows, [1, 8, 50]):
        moments.add(torch.from_numpy(part))
    np.testing.assert_allclose(moments.mean.numpy(), rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.deviation().numpy(), rows.std(0), rtol=1e-12)


def test_reward_scaler_by_hand():
    moments = RunningMoments(())
    scaler = RewardScaler(2, 0.5, moments)
    scaler.count(torch.tensor([1.0, 2.0]), torch.tensor([False, True]))  # returns 1, 2
    scaler.count(torch.tensor([1.0, 4.0]), torch.tensor([False, False]))  # 1.5, 4: the lane ended
    returns = np.array([1.0, 2.0, 1.5, 4.0])
    assert float(moments.deviation()) == pytest.approx(returns.std())
    assert scaler.running.tolist() == [1.5, 4.0]


def trained(steps: int, normalize: bool) -> Trainer:
    env = make_vector(EnvConfig(), 8)
    config = DeepSarsaConfig(normalize_rewards=normalize, normalize_observations=normalize)
    agent = DeepSarsa(env.single_observation_space, env.single_action_space, config)
    trainer = Trainer(agent, env, TrainingConfig(total_steps=steps, num_envs=8))
    trainer.run()
    return trainer


def test_training_scales_rewards_and_resumes_the_scale():
    trainer = trained(600, normalize=True)
    scale = trainer.agent.reward_scale
    assert scale == pytest.approx(1 / float(trainer.agent.reward_moments.deviation()))
    assert 0.5 < scale < 20 and float(trainer.agent.reward_moments.count) >= 600
    again = trained(1, normalize=True)
    again.load_state_dict(trainer.state_dict(), trainer._facts())
    assert again.agent.reward_scale == scale
    assert again.collector.rewards is not None and trainer.collector.rewards is not None
    assert torch.equal(again.collector.rewards.running, trainer.collector.rewards.running)
    assert trained(100, normalize=False).agent.reward_scale == 1.0
