"""Envs at fault or at their limits: NaN, endless episodes, arrays that are written to again."""

import re
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import DictInfoToList

from sidestep.agents import (
    DeepSarsa,
    DeepSarsaConfig,
    NetworkConfig,
    Reinforce,
    ReinforceConfig,
    Trainer,
    TrainingConfig,
    evaluate,
)
from sidestep.agents.acting.collector import Collector
from sidestep.agents.environments import MOST_TICKS, longest_episode

from ..toys import LANES, MODES, Counting, Native, Rows, Scripted, rows_of

NAN = float("nan")


def lanes(
    kind: type[Scripted], mode: AutoresetMode, make: Any = SyncVectorEnv, **kwargs: Any
) -> Any:
    makers = [lambda lane=lane: kind(lane) for lane in range(LANES)]
    return make(makers, autoreset_mode=mode, **kwargs)


def data_of(env: Any, steps: int = 23) -> list[Rows]:
    policy = Counting()
    played = Collector(env, policy, peek=policy.peek)
    played.begin(0)
    rollout = played.rollout(steps)
    assert rollout.final_value.ne(0).sum() > 5
    env.close()
    return [rows_of(rollout, lane) for lane in range(LANES)]


class Overwriting(Native):
    """Gives out one and the same array of observations for ever."""

    def _observe(self) -> Any:
        self.rows = getattr(self, "rows", np.zeros((LANES, 3), dtype=np.float32))
        self.rows[...] = super()._observe()
        return self.rows


class Renumbering(Native):
    """Writes into the array of actions that it is given."""

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        result = super().step(actions)
        actions[...] = 2 - actions
        return result


@pytest.mark.parametrize("mode", MODES)
def test_envs_that_write_into_actions_give_the_same_data(mode: AutoresetMode) -> None:
    assert data_of(Renumbering(mode)) == data_of(Native(mode))


@pytest.mark.parametrize("mode", MODES)
def test_envs_that_overwrite_their_observations_give_the_same_data(mode: AutoresetMode) -> None:
    want = data_of(Native(mode))
    assert data_of(Overwriting(mode)) == want
    assert data_of(lanes(Scripted, mode, copy=False)) == want
    assert data_of(lanes(Scripted, mode, AsyncVectorEnv, copy=False)) == want


@pytest.mark.parametrize("mode", MODES)
def test_infos_of_a_dict_for_each_lane_give_the_same_data(mode: AutoresetMode) -> None:
    assert data_of(DictInfoToList(lanes(Scripted, mode))) == data_of(Native(mode))
    got = evaluate(Counting(), DictInfoToList(lanes(Scripted, mode)), 20, seed=0)
    want = evaluate(Counting(), lanes(Scripted, mode), 20, seed=0)
    assert got.success is not None and want.success is not None
    assert got.success.tolist() == want.success.tolist() and 0 < want.success.sum() < 20


class Rewarding(Scripted):
    """Lane 3 is rewarded with `wrong` in its third tick."""

    wrong = NAN

    def step(self, action: Any) -> Any:
        obs, reward, *rest = super().step(action)
        return obs, self.wrong if self.lane == 3 and self.tick == 2 else reward, *rest


@pytest.mark.parametrize("wrong", [NAN, float("inf"), -float("inf"), -1e39])
@pytest.mark.parametrize("mode", MODES)
def test_rewards_that_are_not_finite_are_named(mode: AutoresetMode, wrong: float) -> None:
    kind = type("Wrong", (Rewarding,), {"wrong": wrong})
    words = f"reward of lane 3: expected a finite number of float32, got {wrong} at tick 2 of"
    words = re.escape(words)
    played = Collector(lanes(kind, mode), Counting())
    played.begin(0)
    with pytest.raises(ValueError, match=words):
        played.rollout(9)
    with pytest.raises(ValueError, match=words):
        Collector(lanes(kind, mode), Counting()).episodes()
    with pytest.raises(ValueError, match=words):
        evaluate(Counting(), lanes(kind, mode), 9, seed=0)


class Seeing(Scripted):
    """Lane 3 sees `wrong` in its second tick."""

    wrong = NAN

    def _obs(self) -> Any:
        obs = super()._obs()
        if self.lane == 3 and self.tick == 1:
            obs[2] = self.wrong
        return obs


@pytest.mark.parametrize("wrong", [NAN, float("inf"), -float("inf")])
@pytest.mark.parametrize("mode", MODES)
def test_observations_that_are_not_finite_are_named(mode: AutoresetMode, wrong: float) -> None:
    kind = type("Wrong", (Seeing,), {"wrong": wrong})
    words = f"observation of lane 3: expected finite numbers, got {wrong} in entry 2"
    played = Collector(lanes(kind, mode), Counting())
    played.begin(0)
    with pytest.raises(ValueError, match=words):
        played.rollout(9)
    with pytest.raises(ValueError, match=words):
        Collector(lanes(kind, mode), Counting()).episodes()
    with pytest.raises(ValueError, match=words):
        evaluate(Counting(), lanes(kind, mode), 9, seed=0)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_finite_is_never_counted(mode: AutoresetMode) -> None:
    env = lanes(Seeing, mode)
    config = DeepSarsaConfig(normalize_observations=True, normalize_rewards=True)
    agent = DeepSarsa(env.single_observation_space, env.single_action_space, config)
    trainer = Trainer(agent, env, TrainingConfig(total_steps=100, num_envs=LANES))
    with pytest.raises(ValueError, match="observation of lane 3"):
        trainer.run()
    tensors = agent.state_dict().items()
    assert all(t.isfinite().all() for _, t in tensors if t.is_floating_point())


class Parting(Scripted):
    """What it shows at the task's end, where nobody looks, is nonsense."""

    def step(self, action: Any) -> Any:
        obs, reward, terminated, *rest = super().step(action)
        return np.full_like(obs, NAN) if terminated else obs, reward, terminated, *rest


class Restarting(Native):
    """Likewise, and so is the reward of a restart."""

    def step(self, actions: Any) -> Any:
        obs, reward, *rest = super().step(actions)
        reward[reward == 99] = NAN
        obs[np.flatnonzero(rest[0]) if self.mode is MODES[0] else []] = NAN
        return obs, reward, *rest


@pytest.mark.parametrize("batch", ["episodes", "rollout"])
@pytest.mark.parametrize("mode", MODES)
def test_nonsense_that_nobody_looks_at_does_not_matter(mode: AutoresetMode, batch: str) -> None:
    assert data_of(Restarting(mode)) == data_of(Native(mode))
    assert data_of(lanes(Parting, mode)) == data_of(lanes(Scripted, mode))
    env = lanes(Parting, mode)
    network = NetworkConfig((7,), "gru", 5, last_reward=True)
    options = {"network": network, "normalize_observations": True, "normalize_rewards": True}
    agent = Reinforce(
        env.single_observation_space,
        env.single_action_space,
        ReinforceConfig(batch=batch, normalize_advantages=True, **options),
    )
    Trainer(agent, env, TrainingConfig(total_steps=200, num_envs=LANES)).run()
    assert agent.flat.isfinite().all()
    other = DeepSarsa(
        env.single_observation_space, env.single_action_space, DeepSarsaConfig(**options)
    )
    Trainer(other, env, TrainingConfig(total_steps=200, num_envs=LANES)).run()
    assert other.flat.isfinite().all()


class Endless(Scripted):
    """Lane 2 never ends an episode."""

    def step(self, action: Any) -> Any:
        obs, reward, terminated, truncated, info = super().step(action)
        goes_on = self.lane != 2
        return obs, reward, terminated and goes_on, truncated and goes_on, info


def test_a_restart_that_says_it_is_over_ends_nothing() -> None:
    class Insisting(Native):
        """Says `terminated` of a lane until the episode after has begun."""

        def step(self, actions: Any) -> Any:
            over = self.ended.copy()
            obs, reward, terminated, *rest = super().step(actions)
            return obs, reward, (terminated | over).astype(np.int8), *rest

    mode = AutoresetMode.NEXT_STEP
    assert data_of(Insisting(mode)) == data_of(Native(mode))
    got, want = (evaluate(Counting(), kind(mode), 20, seed=0) for kind in (Insisting, Native))
    assert got.lengths.tolist() == want.lengths.tolist()


@pytest.fixture
def _at_most_200_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("acting.collector", "environments"):
        monkeypatch.setattr(f"sidestep.agents.{module}.MOST_TICKS", 200)


@pytest.mark.usefixtures("_at_most_200_ticks")
@pytest.mark.parametrize("mode", MODES)
def test_an_episode_without_end_is_an_error(mode: AutoresetMode) -> None:
    words = "expected every episode to end within 200 ticks, got one of lane 2 that goes on"
    with pytest.raises(ValueError, match=words):
        evaluate(Counting(), lanes(Endless, mode), 7, seed=0)
    with pytest.raises(ValueError, match=words):
        Collector(lanes(Endless, mode), Counting()).episodes()


@pytest.mark.usefixtures("_at_most_200_ticks")
@pytest.mark.parametrize("mode", MODES)
def test_lanes_that_nobody_waits_for_may_go_on(mode: AutoresetMode) -> None:
    class Slowing(Scripted):
        """Lasts 150 ticks; but lanes 3 and 4 play one tick, and then never end an episode."""

        def step(self, action: Any) -> Any:
            obs, reward, *_, info = super().step(action)
            ends = self.tick == 150 if self.lane < 3 else self.episode == 0
            return obs, reward, ends, False, info

    result = evaluate(Counting(), lanes(Slowing, mode), LANES + 3, seed=0)
    assert result.lengths.tolist() == [150] * 6 + [1, 1]


class Long(gym.Env[Any, Any]):
    """Ends after 250 ticks."""

    observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.tick = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.tick += 1
        return np.zeros(1, np.float32), 1.0, self.tick == 250, False, {}


@pytest.mark.usefixtures("_at_most_200_ticks")
def test_the_envs_own_time_limit_counts_where_it_is_longer() -> None:
    agent = DeepSarsa(Long.observation_space, Long.action_space, DeepSarsaConfig())
    result = evaluate(agent, SyncVectorEnv([lambda: TimeLimit(Long(), 300)]), 1, seed=0)
    assert result.lengths.tolist() == [250]
    with pytest.raises(ValueError, match="within 200 ticks"):
        evaluate(agent, SyncVectorEnv([Long]), 1, seed=0)


def test_longest_episode_of_every_kind_of_env() -> None:
    def limited(steps: int) -> Any:
        return lambda: gym.make("CartPole-v1", max_episode_steps=steps)

    assert longest_episode(SyncVectorEnv([limited(500)])) == MOST_TICKS
    assert longest_episode(SyncVectorEnv([limited(500), limited(12_000)])) == 12_000
    env = AsyncVectorEnv([limited(500), limited(12_000)])
    assert longest_episode(env) == 12_000
    env.close()
    native = gym.make_vec("sidestep.envs:sidestep/MovingObstacles-v0", 2, max_episode_steps=15_000)
    assert longest_episode(native) == 15_000
    assert longest_episode(Native(MODES[0])) == MOST_TICKS


def test_a_rollout_in_which_nothing_was_played_teaches_nothing() -> None:
    """NEXT_STEP with one tick a rollout: all lanes restart at once."""

    class Short(Scripted):
        def step(self, action: Any) -> Any:
            obs, reward, *_ = super().step(action)
            return obs, reward, True, False, {}

    env = lanes(Short, AutoresetMode.NEXT_STEP)
    config = ReinforceConfig(batch="rollout", rollout_steps=1, normalize_advantages=True)
    agent = Reinforce(env.single_observation_space, env.single_action_space, config)
    played = Collector(env, agent, peek=agent.peek)
    played.begin(0)
    first, empty = agent.collect(played), agent.collect(played)
    assert first.valid.all() and not empty.valid.any()
    metrics = agent.update(empty)
    assert metrics["loss"] == metrics["gradient_norm"] == 0.0
    assert torch.isfinite(agent.flat).all()
    other = DeepSarsa(env.single_observation_space, env.single_action_space, DeepSarsaConfig())
    assert other.update(empty._replace(state=other.initial_state(LANES)))["loss"] == 0.0
