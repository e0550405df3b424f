"""Evaluation: the same number of episodes for every lane, seeded, and blind to training."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from sidestep.agents import (
    DeepSarsa,
    DeepSarsaConfig,
    EnvConfig,
    NetworkConfig,
    Reinforce,
    ReinforceConfig,
    evaluate,
    make_vector,
)
from sidestep.agents.acting.draws import Draws
from sidestep.agents.acting.evaluation import (
    Evaluation,
    iqm,
    iqm_interval,
    mean_interval,
    proportion_interval,
    student_t,
)
from sidestep.agents.acting.policy import undisturbed
from sidestep.agents.environments import lanes_for

from ..toys import MODES, Counting, Native, Scripted, length_of

WORLD = EnvConfig(max_episode_steps=9)


class Parity(Scripted):
    """Episodes of even lanes last one tick, of odd ones nine."""

    def step(self, action: Any) -> Any:
        self.tick += 1
        return self._obs(), 1.0, self.tick == (9 if self.lane % 2 else 1), False, {}


@pytest.mark.parametrize("mode", MODES)
def test_short_episodes_weigh_no_more_than_long_ones(mode: AutoresetMode) -> None:
    env = SyncVectorEnv([lambda lane=lane: Parity(lane) for lane in range(4)], autoreset_mode=mode)
    result = evaluate(Counting(), env, 40, seed=0)
    assert result.lengths.tolist() == ([1] * 10 + [9] * 10) * 2
    assert result.returns.tolist() == result.lengths.tolist()
    assert result.success is None and result.collision is None
    assert result.summary()["length_mean"] == 5.0
    assert "success" not in result.summary()


@pytest.mark.parametrize("mode", MODES)
def test_lanes_share_the_episodes_and_the_first_play_one_more(mode: AutoresetMode) -> None:
    result = evaluate(Counting(), Native(mode, lanes=3), 7, seed=5)
    want = [length_of(0, k) for k in range(3)]
    want += [length_of(lane, k) for lane in (1, 2) for k in range(2)]
    assert result.lengths.tolist() == want
    assert result.success is not None and result.collision is not None
    assert result.success.tolist() == [True, False, False, True, False, True, False]
    assert result.collision.tolist() == [False, True, False, False, True, False, True]
    assert result.truncated.tolist() == [False, True, False, True, False, False, True]
    with pytest.raises(ValueError, match="episodes: expected at least 1, got 0"):
        evaluate(Counting(), Native(mode, lanes=3), 0, seed=5)


def test_rewards_are_shown_as_in_training_and_reported_as_they_are() -> None:
    policy = Counting(reward_scale=0.5)
    result = evaluate(policy, Native(AutoresetMode.SAME_STEP, lanes=1), 1, seed=0)
    shown = [tick.last_reward.item() for tick in policy.shown if not tick.reset.item()]
    assert len(shown) == 2 and all(r > 0 for r in shown)  # the third one came with the end
    assert result.returns[0] > 2 * sum(shown)
    assert result.returns[0] == sum(
        n + 10 * a for n, a in zip((1, 2, 3), actions_of(policy), strict=True)
    )
    assert shown == [0.5 * (n + 10 * a) for n, a in zip((1, 2), actions_of(policy), strict=False)]


def actions_of(policy: Counting) -> list[int]:
    state, actions = policy.initial_state(1), []
    for tick in policy.shown[:3]:
        action, state = Counting().act(tick, state, True)
        actions.append(int(action[0]))
    return actions


def make_agent(learner: str, **options: Any) -> Any:
    env = make_vector(WORLD, 1)
    network = NetworkConfig((7,), "gru", 5)
    spaces = env.single_observation_space, env.single_action_space
    if learner == "reinforce":
        return Reinforce(*spaces, ReinforceConfig(network=network, **options), seed=1)
    return DeepSarsa(*spaces, DeepSarsaConfig(network=network, **options), seed=1)


def same(a: Evaluation, b: Evaluation) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("greedy", [True, False])
@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_a_seed_repeats_and_nothing_of_the_agent_moves(learner: str, greedy: bool) -> None:
    agent = make_agent(learner, normalize_observations=True)
    agent.encoder(np.random.default_rng(0).normal(size=(9, *agent.encoder.shape)))
    before = {name: value.clone() for name, value in agent.state_dict().items()}
    results = []
    for seed in (3, 3, 4):
        env = make_vector(WORLD, 5)
        results.append(evaluate(agent, env, 31, seed, greedy))
        after = agent.state_dict()
        assert before.keys() == after.keys()
        assert all(before[name].equal(after[name]) for name in before)
        assert agent.encoder.frozen is False
        agent.random.tick += 7  # training goes on in between
        before["tick"] = agent.state_dict()["tick"]
    assert same(results[0], results[1])
    assert greedy or not same(results[0], results[2])  # greedy, these agents stand still
    used = evaluate(agent, env, 31, 3, greedy)  # an env that has played already
    assert same(results[0], used)


def test_no_lane_is_in_a_bout_of_others_when_an_agent_is_borrowed() -> None:
    agent, draws = make_agent("deep-sarsa", epsilon_repeat=0.9), Draws(0)
    agent.random.exploring = np.ones(5, np.bool_)
    draws.exploring = np.ones(3, np.bool_)  # of what it was used for before
    with undisturbed(agent, draws):
        assert agent.random is draws and len(draws.exploring) == 0
    assert agent.random.exploring.all() and len(agent.random.exploring) == 5


def test_a_failure_in_between_gives_the_agent_its_stream_back() -> None:
    agent = make_agent("deep-sarsa")
    stream = agent.random

    class Broken(gym.vector.VectorWrapper):
        def step(self, actions: Any) -> Any:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        evaluate(agent, Broken(make_vector(WORLD, 2)), 4, 0)
    assert agent.random is stream and agent.encoder.frozen is False


def test_wilson_interval() -> None:
    # R: prop.test(8, 10, correct = FALSE) and binom::binom.wilson(0, 10), (10, 10), (500, 1000)
    assert proportion_interval(8, 10) == pytest.approx((0.8, 0.490162, 0.943318), abs=1e-6)
    assert proportion_interval(0, 10) == pytest.approx((0.0, 0.0, 0.277533), abs=1e-6)
    assert proportion_interval(10, 10) == pytest.approx((1.0, 0.722467, 1.0), abs=1e-6)
    assert proportion_interval(500, 1000) == pytest.approx((0.5, 0.469070, 0.530930), abs=1e-6)


@pytest.mark.parametrize(
    ("freedom", "quantile"),  # R: qt(0.975, freedom)
    [
        (1, 12.7062047361747),
        (2, 4.30265272974946),
        (3, 3.18244630528371),
        (4, 2.77644510519779),
        (9, 2.2621571627982),
        (30, 2.04227245630124),
        (100, 1.98397151852355),
        (1000, 1.96233908082641),
        (10**9, 1.95996398691),
    ],
)
def test_students_t(freedom: int, quantile: float) -> None:
    assert student_t(freedom) == pytest.approx(quantile, rel=1e-11)


def test_students_t_falls_and_joins() -> None:
    values = [student_t(n) for n in [*range(1, 120), 998, 999, 1000, 1001, 1002, 5000]]
    assert values == sorted(values, reverse=True) and len(set(values)) == len(values)


def test_mean_interval_by_hand() -> None:
    got = mean_interval(np.array([1.0, 2.0, 3.0, 6.0]))  # deviation sqrt(14 / 3), error / 2
    half = 3.182446305 * (14 / 3) ** 0.5 / 2
    assert got == pytest.approx((3.0, 3.0 - half, 3.0 + half))
    assert mean_interval(np.array([0.16, 0.15])) == pytest.approx((0.155, 0.091469, 0.218531))
    alone = mean_interval(np.array([7.0]))
    assert alone.value == 7.0 and np.isnan(alone.low) and np.isnan(alone.high)


@pytest.mark.parametrize("interval", [mean_interval, iqm_interval])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 10])
def test_intervals_hold_the_truth_as_often_as_they_say(interval: Any, count: int) -> None:
    random, inside, times = np.random.default_rng(count), 0, 600 if count < 10 else 300
    for _ in range(times):
        got = interval(random.normal(3.0, 2.0, count))
        inside += got.low <= 3.0 <= got.high
    assert inside / times > 0.91  # 1.96 errors of two values: 0.70; their bootstrap: 0.50


def test_interquartile_mean_by_hand() -> None:
    assert iqm(np.array([8.0, 1, 100, 3, 4, 5, -9, 7])) == (3 + 4 + 5 + 7) / 4
    assert iqm(np.array([10.0, 1, 2, 3, 4, 5])) == (2 + 3 + 4 + 5) / 4
    assert iqm(np.array([5.0])) == 5.0


def test_bootstrap_interval() -> None:
    values = np.random.default_rng(0).normal(10, 4, 300)
    got = iqm_interval(values, resamples=2000)
    assert got == iqm_interval(values, resamples=2000)  # tables repeat
    random = np.random.default_rng(99)
    draws = []
    for _ in range(2000):
        sample = np.sort(values[random.integers(0, 300, 300)])
        draws.append(sample[75:225].mean())
    assert got.value == np.sort(values)[75:225].mean()
    assert got.low == pytest.approx(np.quantile(draws, 0.025), abs=0.08)
    assert got.high == pytest.approx(np.quantile(draws, 0.975), abs=0.08)
    assert iqm_interval(np.full(20, 3.5)) == (3.5, 3.5, 3.5)


def test_interquartile_interval_of_few_values_by_hand() -> None:
    got = iqm_interval(np.array([9.0, 1.0, 2.0, 3.0, 4.0]))  # kept 2, 3, 4; winsorised 2 2 3 4 4
    half = 4.302652729749 * (4 / (3 * 2)) ** 0.5
    assert got == pytest.approx((3.0, 3.0 - half, 3.0 + half))
    alone = iqm_interval(np.array([7.0]))
    assert alone.value == 7.0 and np.isnan(alone.low) and np.isnan(alone.high)


def test_summary_holds_the_figures() -> None:
    flags = np.array([True, False, False, False])
    result = Evaluation(np.array([1.0, 2, 3, 6]), np.array([4, 4, 4, 8]), flags, ~flags, flags)
    figures = result.summary()
    assert figures["episodes"] == 4 and figures["timeouts"] == 0.25
    assert figures["length_mean"] == 5.0
    assert figures["return_mean"] == list(mean_interval(result.returns))
    assert figures["return_std"] == pytest.approx(3.5**0.5)
    assert figures["return_iqm"][0] == 2.5
    assert figures["success"][0] == 0.75 and figures["collision"][0] == 0.25


def test_lanes_are_many_where_they_cost_nothing() -> None:
    assert lanes_for(10_000, EnvConfig()) == 512
    assert lanes_for(30, EnvConfig()) == 30
    assert lanes_for(10_000, EnvConfig("FrozenLake-v1")) == 16
    assert lanes_for(0, EnvConfig()) == 1


def test_regret_by_hand() -> None:
    flags = np.array([True, False, False, False])
    result = Evaluation(np.array([1.0, 2, 3, 6]), np.array([4, 4, 4, 8]), flags, None, None)
    assert "regret" not in result.summary() and "optimum" not in result.summary()
    figures, half = result.summary(4.5), 3.182446305 * (14 / 3) ** 0.5 / 2
    assert figures["optimum"] == 4.5
    assert figures["regret"] == pytest.approx([1.5, 1.5 - half, 1.5 + half])
