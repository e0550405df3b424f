"""Running moments and the reward scale against numpy."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from sidestep.agents import (
    DeepSarsa,
    DeepSarsaConfig,
    EnvConfig,
    Reinforce,
    ReinforceConfig,
    Trainer,
    TrainingConfig,
)
from sidestep.agents.acting.collector import Collector
from sidestep.agents.acting.encoding import ObservationEncoder
from sidestep.agents.acting.normalization import RewardScaler, RunningMoments, shown_rewards
from sidestep.agents.environments import make_vector
from sidestep.agents.player import Player

from ..toys import LANES, MODES, Counting, Native, Scripted, rows_of


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
    no, both = torch.tensor([False, False]), torch.tensor([True, True])
    scaler.count(torch.tensor([1.0, 2.0]), torch.tensor([False, True]), both)  # returns 1, 2
    scaler.count(torch.tensor([1.0, 0.0]), no, torch.tensor([True, False]))  # 1.5; a restart
    scaler.count(torch.tensor([0.0, 0.0]), no, no)  # nobody learns from it
    scaler.count(torch.tensor([1.0, 4.0]), no, both)  # 1.75, 4: the lane ended
    returns = np.array([1.0, 2.0, 1.5, 1.75, 4.0])
    assert float(moments.count) == 5
    assert float(moments.deviation()) == pytest.approx(returns.std())
    assert scaler.running.tolist() == [1.75, 4.0]
    scaler.begin()
    assert scaler.running.tolist() == [0.0, 0.0]


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


class Trap(Scripted):
    """Action 0 leads to 1000 and a reward of 1000; everything else stays in [0, 1]."""

    def _obs(self) -> Any:
        last = self.played.get((self.episode, self.tick - 1), 1) if self.tick else 1
        return seen(self.lane, last, self.tick)

    def step(self, action: Any) -> Any:
        obs, reward, *rest = super().step(action)
        return obs, 1000.0 if action == 0 else reward / 30, *rest


def seen(lane: int, last_action: int, tick: int) -> Any:
    if last_action == 0:
        return np.full(3, 1000.0, dtype=np.float32)
    return np.array([lane, last_action, tick], dtype=np.float32) / 9


class Careful(Counting):
    """Never plays action 0, and keeps running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ObservationEncoder(Scripted.observation_space, normalize=True)

    def act(self, inputs: Any, state: Any, greedy: bool) -> Any:
        actions, state = super().act(inputs, state, greedy)
        return np.maximum(actions, 1), state


def trap(
    mode: AutoresetMode, native: bool, whole: bool = True
) -> tuple[Collector, Careful, RunningMoments]:
    if native:
        env: Any = Native(mode, masks=False)  # a restart brings a reward of 99
        env.envs = [Trap(lane, masks=False) for lane in range(LANES)]
    else:
        makers = [lambda lane=lane: Trap(lane, masks=False) for lane in range(LANES)]
        env = SyncVectorEnv(makers, autoreset_mode=mode)
    policy, moments = Careful(), RunningMoments(())
    scaler = RewardScaler(LANES, 0.5, moments)
    played = Collector(env, policy, peek=policy.peek, rewards=scaler)
    played.begin(0, learned=not whole)
    return played, policy, moments


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_statistics_hold_what_is_learned_from_and_nothing_else(
    mode: AutoresetMode, native: bool, whole: bool
) -> None:
    played, policy, moments = trap(mode, native, whole)
    rollouts = [played.episodes() if whole else played.rollout(9) for _ in range(4)]
    shown, returns = [], []
    for lane in range(LANES):
        tick, total = 0, 0.0
        for row in (row for rollout in rollouts for row in rows_of(rollout, lane)):
            tick = 0 if row["reset"] else tick + 1
            shown.append(seen(lane, 1 if row["reset"] else row["last_action"], tick))
            total = row["reward"] + (0.0 if row["reset"] else 0.5 * total)
            returns.append(total)
        last = rollouts[-1]
        if not whole and not (mode is MODES[0] and last.ended()[-1, lane]):
            begins = bool(last.inputs.reset[-1, lane])  # what is acted on next counts already
            action = 1 if begins else int(last.inputs.last_action[-1, lane])
            shown.append(seen(lane, action, 0 if begins else tick + 1))
    assert np.max(shown) <= 1 and max(returns) < 4
    got = policy.encoder.moments
    assert float(got.count) == len(shown) and float(moments.count) == len(returns)
    np.testing.assert_allclose(got.mean.numpy(), np.mean(shown, 0, np.float64), rtol=1e-6)
    np.testing.assert_allclose(got.deviation().numpy(), np.std(shown, 0, np.float64), rtol=1e-6)
    assert float(moments.mean) == pytest.approx(np.mean(returns))
    assert float(moments.deviation()) == pytest.approx(np.std(returns))


@pytest.mark.parametrize("batch", ["episodes", "rollout"])
def test_a_training_counts_what_it_learns_from(batch: str) -> None:
    env = make_vector(EnvConfig(max_episode_steps=6), 8)
    config = ReinforceConfig(batch=batch, normalize_rewards=True, normalize_observations=True)
    agent = Reinforce(env.single_observation_space, env.single_action_space, config)
    Trainer(agent, env, TrainingConfig(total_steps=300, num_envs=8)).run()
    assert agent.steps >= 300 and float(agent.reward_moments.count) == agent.steps
    waits = float(agent.encoder.moments.count) - agent.steps
    assert waits == 0 if batch == "episodes" else 0 < waits <= 8  # lanes that have chosen already


def test_rewards_are_scaled_and_then_cut_by_hand() -> None:
    reward = np.array([-3.0, 0.5, 100.0])
    assert shown_rewards(reward, 2.0, None).tolist() == [-6.0, 1.0, 200.0]
    assert shown_rewards(reward, 2.0, 4.0).tolist() == [-4.0, 1.0, 4.0]
    assert shown_rewards(reward, 0.5, 4.0).dtype == torch.float32


class Rich(gym.Env[Any, Any]):
    """Pays 1000 on the third tick of an episode of three, else 1."""

    observation_space, action_space = spaces.Box(0, 1, (1,)), spaces.Discrete(2)

    def reset(self, **options: Any) -> Any:
        self.ticks = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.ticks += 1
        return (
            np.zeros(1, np.float32),
            1000.0 if self.ticks == 3 else 1.0,
            self.ticks == 3,
            False,
            {},
        )


def test_learning_and_a_player_are_shown_the_same_cut_rewards() -> None:
    env = SyncVectorEnv([Rich])
    config = DeepSarsaConfig(reward_scale=0.5, reward_limit=10.0, rollout_steps=3)
    agent = DeepSarsa(env.single_observation_space, env.single_action_space, config)
    collector = Collector(env, agent)
    agent.begin(collector, 0)
    rollout = agent.collect(collector)
    assert rollout.reward[:, 0].tolist() == [0.5, 0.5, 10.0]
    assert rollout.inputs.last_reward[1:, 0].tolist() == [0.5, 0.5, 10.0]
    assert collector.drain()[0].returns.tolist() == [1002.0]  # as the env gave them
    player = Player(agent)
    for reward, shown in ((1.0, 0.5), (1000.0, 10.0), (-50.0, -10.0)):
        player.act(np.zeros(1, np.float32), False, reward, {})
        assert player.impression is not None
        assert player.impression.inputs.last_reward.tolist() == [shown]
