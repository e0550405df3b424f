"""Settings by what an env is like: each rule, and that nothing asks for a name."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import pytest

from sidestep.agents import (
    DeepSARSA,
    DeepSarsaConfig,
    EnvConfig,
    ReinforceConfig,
    TrainingConfig,
    make_vector,
)
from sidestep.agents.algorithms.presets import LONGER, PRESETS
from sidestep.agents.algorithms.registry import LEARNERS, preset
from sidestep.agents.environments import final_episodes
from sidestep.agents.traits import Traits
from sidestep.sequence import MEMORIES

QUICK = Traits(vectorized=True, time_limit=100, shape=(15,), unscaled=False)
FOREIGN = Traits(vectorized=False, time_limit=500, shape=(6,), unscaled=True)
VIEW = QUICK._replace(shape=(9, 7, 7))
MANY = [QUICK, FOREIGN, VIEW, FOREIGN._replace(vectorized=True), FOREIGN._replace(time_limit=None)]


def settings(learner: str, traits: Traits, memory: str = "none", name: str = "default") -> Any:
    """Of a configuration of that learner, which is checked on the way."""
    config, training = preset(learner, traits, memory, name)
    assert type(config) is LEARNERS[learner].config and type(training) is TrainingConfig
    assert config.network.memory == memory
    return config, training


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("name", PRESETS)
def test_every_learner_memory_and_kind_of_env_has_settings(learner: str, name: str) -> None:
    for memory in MEMORIES:
        for traits in MANY:
            settings(learner, traits, memory, name)


@pytest.mark.parametrize("learner", LEARNERS)
def test_rewards_of_any_size_are_scaled_and_schedules_are_parts_of_the_training(
    learner: str,
) -> None:
    for memory in ("none", "gru"):
        config, training = settings(learner, FOREIGN, memory)
        assert config.normalize_rewards and config.reward_scale == 1
        assert config.reward_limit == 10
        quick, _ = settings(learner, QUICK, memory)  # as they are: neither scaled nor cut
        assert not quick.normalize_rewards and quick.reward_limit is None
        steps = config.exploration_steps(training.total_steps)
        assert config.exploration_steps(10 * training.total_steps) == 10 * steps > 0


@pytest.mark.parametrize("learner", LEARNERS)
def test_unscaled_numbers_are_standardised_and_others_are_not(learner: str) -> None:
    for traits in MANY:
        assert settings(learner, traits)[0].normalize_observations is traits.unscaled


def test_reinforce_looks_far_ahead_in_unscaled_numbers() -> None:
    body, _ = settings("reinforce", FOREIGN)
    table, _ = settings("reinforce", FOREIGN._replace(unscaled=False))
    assert (body.trace_decay, body.discount, body.rollout_steps) == (0.98, 0.995, 64)
    assert (table.trace_decay, table.discount, table.rollout_steps) == (0.95, 0.99, 16)


def test_deep_sarsa_explores_far_only_where_it_has_to() -> None:
    foreign, quick = (settings("deep-sarsa", traits)[0] for traits in (FOREIGN, QUICK))
    assert foreign.epsilon_repeat == 0.95 and foreign.repeat_where_cut
    assert quick.epsilon_repeat == 0
    codes = settings("deep-sarsa", FOREIGN._replace(unscaled=False))[0]
    assert codes.epsilon_repeat == 0 and not codes.repeat_where_cut
    assert (foreign.epsilon_end, codes.epsilon_end) == (0, 0.02)


def test_batches_are_small_with_a_memory_and_for_whole_episodes() -> None:
    for learner, memory in (("deep-sarsa", "gru"), ("reinforce", "gru"), ("reinforce", "none")):
        assert settings(learner, QUICK, memory)[1].num_envs == 16
    assert settings("deep-sarsa", QUICK)[1].num_envs == 64


@pytest.mark.parametrize("learner", LEARNERS)
def test_lanes_are_many_where_they_cost_little(learner: str) -> None:
    quick, slow = settings(learner, QUICK)[1], settings(learner, FOREIGN)[1]
    assert quick.num_envs >= 2 * slow.num_envs
    assert quick.evaluation_episodes > slow.evaluation_episodes
    long = settings(learner, FOREIGN._replace(vectorized=True))
    assert long == settings(learner, FOREIGN)  # episodes of 500 ticks are not quick


@pytest.mark.parametrize("learner", LEARNERS)
def test_with_a_memory_what_is_learned_from_holds_what_is_to_be_remembered(learner: str) -> None:
    for memory in ("rnn", "gru", "lstm", "attention"):
        config, _ = settings(learner, FOREIGN, memory)
        assert config.network.hidden_sizes == (64,)
        whole = getattr(config, "batch", "") == "episodes"
        assert whole == (learner == "reinforce") and (whole or config.rollout_steps >= 100)


@pytest.mark.parametrize("learner", LEARNERS)
def test_with_a_memory_and_no_known_limit_credit_is_for_what_comes_soon(learner: str) -> None:
    gym.register("Endless-v0", "gymnasium.envs.classic_control:CartPoleEnv")  # no limit told
    endless = EnvConfig("Endless-v0")
    for memory in ("rnn", "gru", "lstm", "attention"):
        for env in (FOREIGN._replace(time_limit=None), FOREIGN._replace(time_limit=1_001), endless):
            config, _ = settings(learner, env, memory)
            assert getattr(config, "batch", "rollout") == "rollout"
            assert (config.discount, config.trace_decay, config.rollout_steps) == (0.95, 0.8, 32)
        bounded, _ = settings(learner, FOREIGN._replace(time_limit=1_000), memory)
        assert bounded.discount == 0.99
    gym.registry.pop("Endless-v0")
    plain, _ = settings(learner, FOREIGN._replace(time_limit=None))
    assert plain == settings(learner, FOREIGN)[0]


@pytest.mark.parametrize("learner", LEARNERS)
def test_long_episodes_are_remembered_for_longer_and_trained_for_longer(learner: str) -> None:
    long = 5_000_000 if learner == "deep-sarsa" else 3_000_000
    for limit, span, ticks, steps in ((128, 128, 128, 1_000_000), (700, 700, 256, long)):
        config, training = settings(learner, FOREIGN._replace(time_limit=limit), "gru")
        assert (config.network.memory_span, training.total_steps) == (span, steps)
        assert learner == "reinforce" or config.rollout_steps == ticks
    for limit in (1_001, None):
        _, training = settings(learner, FOREIGN._replace(time_limit=limit), "gru")
        assert training.total_steps == 1_000_000
    plain, training = settings(learner, FOREIGN._replace(time_limit=129))
    assert training.total_steps == 500_000 and plain.network.memory_span is None


def test_codes_are_gone_through_more_seldom_in_smaller_parts() -> None:
    body, codes = (FOREIGN._replace(unscaled=unscaled) for unscaled in (True, False))
    table = codes._replace(is_table=True)
    for traits, wanted in ((body, (8, 4)), (codes, (2, 8)), (table, (1, 8))):
        config, _ = settings("deep-sarsa", traits)
        assert (config.epochs, config.minibatches) == wanted


def test_codes_are_explored_for_longer() -> None:
    for limit in (None, 200):
        body, table = (FOREIGN._replace(time_limit=limit, unscaled=u) for u in (True, False))
        assert settings("reinforce", table)[0].entropy_start == 0.1
        assert settings("reinforce", body)[0].entropy_start == 0.03


@pytest.mark.parametrize("learner", LEARNERS)
def test_gated_memories_begin_with_keeping_for_as_long_as_a_rollout(learner: str) -> None:
    short = FOREIGN._replace(time_limit=100)
    spans = [settings(learner, short, memory)[0].network.memory_span for memory in MEMORIES]
    assert dict(zip(MEMORIES, spans, strict=True)) == {
        "none": None, "rnn": None, "lstm": 128, "gru": 128, "attention": None
    }  # fmt: skip
    assert settings(learner, QUICK, "gru")[0].network.memory_span is None


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_small_view_is_read_cell_by_cell_and_past_the_memory(learner: str) -> None:
    plain, remembers = (settings(learner, VIEW, m)[0].network for m in ("none", "gru"))
    assert plain.channels == () and plain.hidden_sizes == (128, 128)
    assert not plain.skip_connection and remembers.skip_connection
    large = settings(learner, QUICK._replace(shape=(4, 84, 84)))[0].network
    assert large.channels == (16, 32)


def test_textbook_settings_are_the_textbooks_rules() -> None:
    for traits in MANY:
        sarsa, training = settings("deep-sarsa", traits, name="textbook")
        assert training.num_envs == sarsa.rollout_steps == 1 and sarsa.trace_decay == 0
        assert (sarsa.target, sarsa.loss) == ("sarsa", "squared")
        policy, training = settings("reinforce", traits, name="textbook")
        assert training.num_envs == 1 and (policy.batch, policy.baseline) == ("episodes", "none")
        assert policy.entropy_start == policy.entropy_end == 0 and policy.trace_decay == 1
        assert not sarsa.normalize_rewards and not policy.normalize_rewards


@pytest.mark.parametrize("learner", LEARNERS)
def test_thorough_trainings_are_longer(learner: str) -> None:
    for traits in MANY:
        _, default = settings(learner, traits)
        _, thorough = settings(learner, traits, name="thorough")
        assert thorough.total_steps >= LONGER * default.total_steps


def test_what_there_is_not_is_refused() -> None:
    for name in ("ppo", "", "Deep SARSA"):
        with pytest.raises(ValueError, match=r"expected one of deep-sarsa, reinforce, got"):
            preset(name, "CartPole-v1")
    with pytest.raises(ValueError, match=r"memory: expected one of none, rnn"):
        preset("reinforce", "CartPole-v1", "elman")
    with pytest.raises(ValueError, match=r"preset: expected one of default, textbook, thorough"):
        preset("reinforce", "CartPole-v1", name="best")
    with pytest.raises(gym.error.Error, match="NoSuch"):
        preset("reinforce", "NoSuchEnv-v0")


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("memory", ["none", "gru"])
@pytest.mark.parametrize(
    ("module", "env_id"),
    [("sidestep.envs", "sidestep/Glimpse-v0"), ("sidestep.envs", "sidestep/Crossing-v0"),
     ("gymnasium", "Acrobot-v1"), ("gymnasium", "CartPole-v1")],
)  # fmt: skip
def test_a_module_before_the_id_and_a_name_of_ones_own_change_nothing(
    learner: str, memory: str, module: str, env_id: str
) -> None:
    known = preset(learner, env_id, memory)
    assert preset(learner, f"{module}:{env_id}", memory) == known
    spec = gym.spec(env_id)
    other = replace(spec, id="Other-v3")
    gym.registry["Other-v3"] = other
    try:
        assert preset(learner, "Other-v3", memory) == known
        assert final_episodes(EnvConfig("Other-v3")) == final_episodes(EnvConfig(env_id))
    finally:
        del gym.registry["Other-v3"]


def test_the_table_at_the_end_is_long_where_that_costs_little() -> None:
    lengths = {"sidestep.envs:sidestep/Book-v0": 10_000, "sidestep/Crossing-v0": 10_000,
               "gymnasium:CartPole-v1": 2_000, "Acrobot-v1": 100}  # fmt: skip
    for env_id, episodes in lengths.items():
        assert final_episodes(EnvConfig(env_id)) == episodes
    long = EnvConfig("sidestep/Crossing-v0", ("max_episode_steps=1000",))
    assert final_episodes(long) == 1_000
    slow = EnvConfig("sidestep/Book-v0", vectorization="sync")
    assert final_episodes(slow) == 100


def test_the_library_uses_the_presets_of_any_env() -> None:
    for env_id in ("Acrobot-v1", "sidestep/Glimpse-v0"):
        config, training = preset("deep-sarsa", env_id)
        module = "sidestep.envs" if env_id.startswith("sidestep") else "gymnasium"
        envs = (env_id, EnvConfig(f"{module}:{env_id}"), make_vector(EnvConfig(env_id), 3))
        for env in envs:
            model = DeepSARSA(env)
            assert model.agent.config == config
            lanes = 3 if env is envs[2] else training.num_envs
            assert model.training == replace(training, num_envs=lanes)
            model.env.close()


def test_the_default_configurations_are_no_presets() -> None:
    """The classes' own defaults are those of runs and saves that tell no more."""
    assert DeepSarsaConfig().rollout_steps == 4 and DeepSarsaConfig().epsilon_repeat == 0
    assert ReinforceConfig().batch == "episodes" and ReinforceConfig().reward_limit is None
