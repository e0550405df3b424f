"""Settings by learner, env and memory: what was measured stays, and nothing falls through."""

from dataclasses import replace

import pytest

from sidestep.agents import DeepSARSA, DeepSarsaConfig, EnvConfig, NetworkConfig, make_vector
from sidestep.agents.algorithms.presets import final_episodes
from sidestep.agents.algorithms.registry import LEARNERS, preset
from sidestep.sequence import MEMORIES

M, K = 1_000_000, 1_000
PUBLISHED = {  # steps, lanes, and steps over which exploration falls: of the tables in results.md
    ("deep-sarsa", "sidestep/MovingObstacles-v0", "none"): (2 * M, 256, 200 * K),
    ("deep-sarsa", "sidestep/MovingObstacles-v0", "rnn"): (3 * M, 256, 200 * K),
    ("deep-sarsa", "sidestep/MovingObstacles-v0", "gru"): (2 * M, 256, 200 * K),
    ("deep-sarsa", "sidestep/Book-v0", "none"): (2 * M, 256, 200 * K),
    ("deep-sarsa", "sidestep/Glimpse-v0", "none"): (3 * M, 64, 200 * K),
    ("deep-sarsa", "sidestep/Glimpse-v0", "lstm"): (3 * M, 64, 200 * K),
    ("deep-sarsa", "sidestep/Glimpse-v0", "rnn"): (3 * M, 64, 1 * M),
    ("deep-sarsa", "sidestep/Glimpse-v0", "gru"): (3 * M, 64, 1 * M),
    ("deep-sarsa", "sidestep/Glimpse-v0", "attention"): (3 * M, 64, 1 * M),
    ("deep-sarsa", "sidestep/Crossing-v0", "gru"): (2 * M, 128, 500 * K),
    ("deep-sarsa", "CartPole-v1", "none"): (300 * K, 32, 100 * K),
    ("deep-sarsa", "Acrobot-v1", "gru"): (300 * K, 16, 100 * K),
    ("reinforce", "sidestep/MovingObstacles-v0", "rnn"): (2 * M, 128, 1 * M),
    ("reinforce", "sidestep/Glimpse-v0", "gru"): (3 * M, 128, 1 * M),
    ("reinforce", "sidestep/Crossing-v0", "none"): (2 * M, 128, 1 * M),
    ("reinforce", "CartPole-v1", "none"): (600 * K, 32, 300 * K),
}


@pytest.mark.parametrize("key", PUBLISHED, ids=" ".join)
def test_published_schedules_are_the_same_in_steps(key: tuple[str, str, str]) -> None:
    config, training = preset(*key)
    total = training.total_steps
    assert (total, training.num_envs, config.exploration_steps(total)) == PUBLISHED[key]
    assert config.exploration_steps(total // 10) == PUBLISHED[key][2] // 10
    assert config.network.memory == key[2]


def test_every_learner_has_a_row_and_others_are_refused() -> None:
    for learner, row in LEARNERS.items():
        for env_id in ("sidestep/Glimpse-v0", "sidestep/Crossing-v0", "CartPole-v1"):
            for memory in MEMORIES:
                assert type(preset(learner, env_id, memory)[0]) is row.config
    for name in ("ppo", "", "Deep SARSA"):
        with pytest.raises(ValueError, match=r"expected one of deep-sarsa, reinforce, got"):
            preset(name, "CartPole-v1", "none")
    with pytest.raises(ValueError, match=r"memory: expected one of none, rnn"):
        preset("reinforce", "CartPole-v1", "elman")


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("memory", ["none", "gru"])
@pytest.mark.parametrize(
    ("module", "env_id"),
    [("sidestep.envs", "sidestep/Glimpse-v0"), ("sidestep.envs", "sidestep/Crossing-v0"),
     ("gymnasium", "Acrobot-v1"), ("a.b", "CartPole-v1")],
)  # fmt: skip
def test_a_module_before_the_id_changes_nothing(
    learner: str, memory: str, module: str, env_id: str
) -> None:
    assert preset(learner, f"{module}:{env_id}", memory) == preset(learner, env_id, memory)
    assert final_episodes(f"{module}:{env_id}") == final_episodes(env_id)


def test_the_table_at_the_end_is_as_long_for_a_module_and_its_id() -> None:
    assert final_episodes("sidestep.envs:sidestep/Book-v0") == 10_000
    assert final_episodes("gymnasium:CartPole-v1") == 100


def test_the_library_uses_the_presets_of_any_env_that_tells_its_id() -> None:
    for env_id, learner in (("Acrobot-v1", "deep-sarsa"), ("sidestep/Glimpse-v0", "deep-sarsa")):
        config, training = preset(learner, env_id, "none")
        module = "sidestep.envs" if env_id.startswith("sidestep") else "gymnasium"
        envs = (env_id, EnvConfig(f"{module}:{env_id}"), make_vector(EnvConfig(env_id), 3))
        for env in envs:
            model = DeepSARSA(env)
            assert model.agent.config == config
            lanes = 3 if env is envs[2] else training.num_envs
            assert model.training == replace(training, num_envs=lanes)
            model.env.close()
    network = NetworkConfig(memory="gru")
    model = DeepSARSA("gymnasium:Acrobot-v1", DeepSarsaConfig(network=network))
    assert model.env.num_envs == 16
