"""Configurations that know what they were given: laid over presets, and set by name."""

import copy
import pickle
from dataclasses import replace

import pytest

import sidestep.envs  # noqa: F401
from sidestep.agents import (
    REINFORCE,
    DeepSARSA,
    DeepSarsaConfig,
    NetworkConfig,
    ReinforceConfig,
)
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.settings import with_settings


def test_only_given_fields_are_laid_over() -> None:
    some = DeepSarsaConfig(NetworkConfig((8,), memory="gru"), learning_rate=1e-3)
    assert some.given == {"network", "learning_rate"}
    assert some.network.given == {"hidden_sizes", "memory"}
    inner = NetworkConfig(memory_size=3, last_action=True)
    known = DeepSarsaConfig(inner, rollout_steps=99)
    network = NetworkConfig((8,), "gru", 3, last_action=True)
    assert some.over(known) == DeepSarsaConfig(network, learning_rate=1e-3, rollout_steps=99)
    assert known == DeepSarsaConfig(
        NetworkConfig(memory_size=3, last_action=True), rollout_steps=99
    )


def test_a_field_given_its_default_counts_as_given() -> None:
    default = DeepSarsaConfig().discount
    assert DeepSarsaConfig(discount=default).over(DeepSarsaConfig(discount=0.5)).discount == default


def test_what_is_copied_or_replaced_was_given() -> None:
    some = DeepSarsaConfig(learning_rate=1e-3)
    for same in (copy.copy(some), copy.deepcopy(some), pickle.loads(pickle.dumps(some))):
        assert same == some and same.given == {"learning_rate"}
    complete = replace(some, discount=0.5)
    assert complete.over(DeepSarsaConfig(rollout_steps=99)) == complete


def test_a_model_keeps_the_rest_of_its_preset() -> None:
    env = "sidestep/MovingObstacles-v0"
    config, training = preset("deep-sarsa", env)
    for model in (
        DeepSARSA(env, DeepSarsaConfig(epsilon_end=0.25)),
        DeepSARSA(env, epsilon_end=0.25),
        DeepSARSA(env, DeepSarsaConfig(epsilon_end=0.5), epsilon_end=0.25),
    ):
        assert model.agent.config == replace(config, epsilon_end=0.25)
        assert model.env.num_envs == training.num_envs
        model.env.close()


def test_a_memory_by_name_has_its_own_preset() -> None:
    env = "sidestep/MovingObstacles-v0"
    config, _ = preset("reinforce", env, "gru")
    want = replace(config, network=replace(config.network, memory_size=7))
    for model in (
        REINFORCE(env, memory="gru", memory_size=7),
        REINFORCE(env, ReinforceConfig(NetworkConfig(memory="gru", memory_size=7))),
        REINFORCE(env, ReinforceConfig(NetworkConfig(memory="gru")), memory_size=7),
    ):
        assert model.agent.config == want
        model.env.close()


def test_presets_by_name() -> None:
    model = DeepSARSA("CartPole-v1", preset="textbook", discount=0.9)
    config, training = preset("deep-sarsa", "CartPole-v1", name="textbook")
    assert model.agent.config == replace(config, discount=0.9)
    assert model.env.num_envs == training.num_envs == 1
    model.env.close()
    with pytest.raises(ValueError, match="preset: expected one of default, textbook, thorough"):
        DeepSARSA("CartPole-v1", preset="best")


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (dict(learnin_rate=1), TypeError, "got 'learnin_rate'; did you mean learning_rate"),
        (dict(entropy_start=1), TypeError, "expected fields of DeepSarsaConfig, got 'entropy_"),
        (dict(discount=2), ValueError, r"discount: expected a number in \[0, 1\], got 2"),
        (dict(memory="elman"), ValueError, "memory: expected one of none, rnn"),
        (dict(memory_size=0), ValueError, "memory_size: expected at least 1, got 0"),
    ],
)
def test_wrong_settings(settings: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        DeepSARSA("CartPole-v1", **settings)


def test_settings_keep_what_was_given_before() -> None:
    some = ReinforceConfig(NetworkConfig(memory="lstm"), discount=0.5)
    more = with_settings(some, {"memory_size": 5, "trace_decay": 0.75})
    assert more.given == {"network", "discount", "trace_decay"}
    assert more.network.given == {"memory", "memory_size"}
    assert more == ReinforceConfig(
        NetworkConfig(memory="lstm", memory_size=5), discount=0.5, trace_decay=0.75
    )


def test_a_baseline_of_whole_episodes_takes_them_instead_of_a_presets_rollouts() -> None:
    known = ReinforceConfig(batch="rollout", trace_decay=0.95, discount=0.9)
    for some in (ReinforceConfig(baseline="time"), ReinforceConfig(discount_weighting=True)):
        got = some.over(known)
        assert (got.batch, got.trace_decay, got.discount) == ("episodes", 1.0, 0.9)
    assert ReinforceConfig(entropy_end=0.5).over(known).batch == "rollout"
    with pytest.raises(ValueError, match="got mean, which goes with batch episodes and trace_dec"):
        ReinforceConfig(baseline="mean", batch="rollout")
    model = REINFORCE("Acrobot-v1", baseline="mean")
    assert model.agent.config.batch == "episodes" and model.agent.config.trace_decay == 1
    model.env.close()
