"""What `auto` chooses: a table of multiply-adds, read off the settings of a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from sidestep.agents import EnvConfig, RunConfig, TrainingConfig, make_vector
from sidestep.agents.algorithms.registry import LEARNERS, preset
from sidestep.agents.networks import Network, NetworkConfig
from sidestep.agents.runs import training_device
from sidestep.sequence import GRU
from sidestep.sequence.devices import FASTER_FROM, Work, device_of, work_of

WORLD = "sidestep/MovingObstacles-v0"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU is there, as far as `auto` can tell."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("unit", FASTER_FROM)
def test_auto_goes_by_the_table(unit: Any) -> None:
    enough = FASTER_FROM[unit]
    assert device_of("auto", lambda: Work(enough, unit)) == "cuda"
    assert device_of("auto", lambda: Work(enough - 1, unit)) == "cpu"
    assert device_of("auto") == "cpu"
    assert device_of("cpu", lambda: Work(enough, unit)) == "cpu"


def test_without_a_gpu_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def count() -> Work:
        raise AssertionError

    assert device_of("auto", count) == "cpu"


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
@pytest.mark.parametrize(
    ("memory", "lanes", "expected"),
    [("none", 64, "cpu"), ("none", 8192, "cuda"), ("gru", 64, "cpu"), ("gru", 8192, "cuda")],
)
def test_agents_by_lanes_and_network(learner: str, memory: str, lanes: int, expected: str) -> None:
    """What was measured: few lanes are faster on the CPU, thousands on a GPU."""
    agent, _ = preset(learner, WORLD, memory)
    run = RunConfig(learner, EnvConfig(WORLD), agent, TrainingConfig(num_envs=lanes))
    env = make_vector(EnvConfig(WORLD), 1)
    assert training_device(run, env) == expected
    env.close()


def test_multiply_adds_by_hand() -> None:
    """Matrices once a row; a convolution once for each place of what it makes."""
    mlp = Network((6,), 3, 3, NetworkConfig(hidden_sizes=(5, 4), memory="none"))
    assert mlp.products == 6 * 5 + 5 * 4 + 4 * 3
    gru = Network((6,), 3, 2, NetworkConfig(hidden_sizes=(5,), memory="gru", memory_size=7))
    assert gru.products == 6 * 5 + 3 * 7 * (5 + 7) + 7 * 2
    config = NetworkConfig(hidden_sizes=(5,), memory="none", channels=(2, 3))
    small, large = Network((1, 7, 7), 3, 2, config), Network((1, 21, 21), 3, 2, config)
    assert small.products == 9 * 2 * 49 + 9 * 2 * 3 * 49 + 3 * 49 * 5 + 5 * 2
    assert large.products == 9 * 2 * 121 + 9 * 2 * 3 * 121 + 3 * 121 * 5 + 5 * 2
    assert work_of(GRU(3, 5), 11) == Work(11 * 3 * 5 * (3 + 5), "update")


def test_the_network_is_counted_without_memory_being_taken() -> None:
    from sidestep.agents.algorithms.deep_sarsa import DeepSarsa, DeepSarsaConfig

    seen = spaces.Box(-np.ones(3, np.float32), np.ones(3, np.float32))
    config = DeepSarsaConfig(network=NetworkConfig(hidden_sizes=(1_000_000, 1_000_000)))
    work = DeepSarsa.work(seen, spaces.Discrete(2), config, 5)
    assert work == Work(5 * (3_000_000 + 10**12 + 2_000_000), "tick")


def test_docs_have_the_rule() -> None:
    """The table of docs/learning.md, from the presets' networks."""
    text = (Path(__file__).parents[2] / "docs" / "learning.md").read_text(encoding="utf-8")
    env = make_vector(EnvConfig(WORLD), 1)
    for memory in ("none", "gru"):
        config, _ = preset("deep-sarsa", WORLD, memory)
        spaces_ = env.single_observation_space, env.single_action_space
        one = LEARNERS["deep-sarsa"].agent.work(*spaces_, config, 1).products
        assert f"| {one:,} | {-(-FASTER_FROM['tick'] // one)} lanes |" in text
    env.close()
