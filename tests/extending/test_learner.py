"""A learner from outside has a command, runs and a view as the shipped ones have."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium import spaces

from sidestep.agents import (
    Agent,
    DeepSarsa,
    DeepSarsaConfig,
    Learner,
    LearnerConfig,
    NetworkConfig,
    Presets,
    Trainer,
    TrainingConfig,
    load_agent,
    make_vector,
    register_learner,
)
from sidestep.agents.acting.batch import Inputs
from sidestep.agents.algorithms.presets import PRESETS
from sidestep.agents.algorithms.registry import LEARNERS, preset
from sidestep.agents.environments import EnvConfig
from sidestep.agents.insight import look
from sidestep.agents.models import Algorithm
from sidestep.scripts import evaluate, record, train

from .commands import SHORT, as_an_older, refused, succeeds


def test_its_update_by_hand(pieces: Any) -> None:
    """One lane, one tick, zero weights: q = 0, target = r, so the loss is r squared."""
    env = make_vector(EnvConfig("sidestep/MovingObstacles-v0"), 1)
    config = pieces.TinyConfig(network=NetworkConfig((5,)), rollout_steps=1)
    agent = pieces.Tiny(env.single_observation_space, env.single_action_space, config, 0)
    agent.flat.data.zero_()
    trainer = Trainer(agent, env, TrainingConfig(total_steps=3, num_envs=1))
    agent.begin(trainer.collector, 0)
    metrics = agent.update(agent.collect(trainer.collector))
    env.close()
    assert metrics["loss"] == pytest.approx(0.05**2)


def test_a_look_into_it_shows_what_it_says(pieces: Any) -> None:
    """Probabilities, as its `scores` say, and not what another learner's would be."""
    box, actions = spaces.Box(-1, 1, (3,)), spaces.Discrete(2)
    agent = pieces.Tiny(box, actions, pieces.TinyConfig(network=NetworkConfig((5,))), 0)
    with torch.no_grad():
        agent.network.head.weight.zero_()
        agent.network.head.bias.copy_(torch.tensor([0.0, 0.1]))
    none = torch.zeros(1)
    insight = look(agent, Inputs(torch.zeros(1, 3), none.bool(), none.long(), none), ())
    assert insight.are_probabilities and insight.value == pytest.approx(0.1)
    assert insight.scores.tolist() == pytest.approx([1 / (1 + 2.718281828), 0.731058579])


def test_settings_are_its_own(pieces: Any) -> None:
    config, training = preset("tiny", "CartPole-v1", "gru")
    assert type(config) is pieces.TinyConfig and config.network.memory == "gru"
    assert training == TrainingConfig()
    known = Presets(
        lambda traits, network: (
            pieces.TinyConfig(temperature=2 if network.remembers else 1),
            TrainingConfig(seed=1 + traits.is_quick),
        ),
        textbook=lambda traits, network: (pieces.TinyConfig(), TrainingConfig(seed=3)),
        thorough=lambda traits, network: (pieces.TinyConfig(), TrainingConfig(seed=4)),
    )
    del LEARNERS["tiny"]
    register_learner("tiny", pieces.TINY._replace(presets=known))
    book, quick = "sidestep/Book-v0", "sidestep/Glimpse-v0"
    assert [preset("tiny", env_id)[1].seed for env_id in (book, quick)] == [1, 2]
    assert [preset("tiny", book, "none", name)[1].seed for name in PRESETS] == [1, 3, 4]
    for memory, temperature in (("none", 1), ("gru", 2)):
        assert preset("tiny", book, memory)[0].temperature == temperature  # type: ignore


def test_as_a_library(pieces: Any) -> None:
    class TinyModel(Algorithm):
        learner = "tiny"

    model = TinyModel("sidestep/MovingObstacles-v0", num_envs=2)
    assert type(model.agent).__name__ == "Tiny"
    model.env.close()


@pytest.mark.slow
def test_the_commands_know_it(
    as_fresh: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, module = str(tmp_path / "run"), ["--modules", "pieces"]
    with pytest.raises(SystemExit):
        as_fresh(train.main, ["tiny", *SHORT])
    assert (
        "expected a learner (deep-sarsa, reinforce, resume), got 'tiny'" in capsys.readouterr().err
    )
    with pytest.raises(SystemExit):
        as_fresh(train.main, ["tiny", *module, "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "Train one-step Q-learning." in printed and "Of the softmax. (default: 0.1)" in printed
    words = ["tiny", *SHORT, *module, "--out", run]
    with pytest.raises(SystemExit):
        as_fresh(train.main, [*words, "--temperature", "-1"])
    assert "temperature: expected a positive number, got -1.0" in capsys.readouterr().err
    as_fresh(train.main, [*words, "--temperature", "0.2", "--memory", "gru"])
    written = json.loads((tmp_path / "run" / "config.json").read_text())
    assert written["learner"] == "tiny" and written["agent"]["temperature"] == 0.2
    as_fresh(evaluate.main, [run, "--episodes", "5", *module])
    as_fresh(record.main, [run, "--out", str(tmp_path / "x.png"), *module])
    as_fresh(train.main, ["resume", run, "--total-steps", "800", "--episodes", "5", *module])


def test_resuming_equals_never_having_stopped(pieces: Any, tmp_path: Path) -> None:
    end = ["--evaluate-every", "0", "--episodes", "5", "--gif-episodes", "0", "--num-envs", "4"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train.main(["tiny", "--total-steps", "640", *end, "--out", str(whole)])
    train.main(["tiny", "--total-steps", "320", *end, "--out", str(parts)])
    train.main(["resume", str(parts), "--total-steps", "640", "--episodes", "5",
                "--gif-episodes", "0"])  # fmt: skip
    first, second = (load_agent(run)[0].state_dict() for run in (whole, parts))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_module_that_an_id_names_is_imported_before_the_run_is_read(
    as_fresh: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    env = ["--env", "pieces:sidestep/MovingObstacles-v0"]
    as_fresh(train.main, ["tiny", *env, *SHORT, "--modules", "pieces", "--out", str(run)])

    def load(words: list[str]) -> Any:
        return load_agent(run, modules=words)[0]

    with pytest.raises(ValueError, match="got 'tiny'; of one that another module registers"):
        as_fresh(load, [])
    assert type(as_fresh(load, ["pieces"])).__name__ == "Tiny"


class Half(Agent):
    """A learner that is not finished."""

    name = "half"


class Other(DeepSarsa):
    name = "other"


class Plain(LearnerConfig):
    """No dataclass of its own."""


@dataclass(frozen=True)
class Needy(LearnerConfig):
    def __post_init__(self) -> None:
        raise ValueError("needy: expected more, got nothing")


def wrong(name: str, memory: str) -> Any:
    return LearnerConfig(), TrainingConfig()


GOOD = Learner(Other, DeepSarsaConfig)


@pytest.mark.parametrize(
    ("name", "row", "error", "words"),
    [
        ("Other", GOOD, ValueError, "expected lower-case words joined by hyphens"),
        ("resume", GOOD, ValueError, "expected lower-case words joined by hyphens, and not resume"),
        ("deep-sarsa", GOOD, ValueError, "expected one that is free, got 'deep-sarsa'"),
        ("other", (Other, DeepSarsaConfig), TypeError, "sidestep.agents.Learner, got tuple"),
        ("other", GOOD._replace(agent=dict), TypeError, "a subclass of Agent, got <class 'dict'>"),
        ("half", GOOD._replace(agent=Half), TypeError, "expected Half with choose, make_network, "),
        ("another", GOOD, ValueError, "expected Other.name to be 'another', as its runs will say"),
        ("other", GOOD._replace(config=dict), TypeError, "a subclass of LearnerConfig, got <class"),
        (
            "other",
            GOOD._replace(config=Plain),
            TypeError,
            "expected Plain to be a dataclass itself",
        ),
        ("other", GOOD._replace(config=Needy), ValueError, "needy: expected more, got nothing"),
        ("other", GOOD._replace(presets=3), TypeError, "expected presets to be Presets, got 3"),
        (
            "other",
            GOOD._replace(presets=Presets(wrong, wrong, wrong)),
            TypeError,
            "expected presets of DeepSarsaConfig and TrainingConfig, got LearnerConfig and Train",
        ),
    ],
)
def test_bad_rows_are_refused(
    tables: None, name: str, row: Any, error: type[Exception], words: str
) -> None:
    before = dict(LEARNERS)
    with pytest.raises(error, match=words):
        register_learner(name, row)
    assert before == LEARNERS


def test_the_same_row_again_is_no_error(pieces: Any) -> None:
    register_learner("tiny", pieces.TINY)
    with pytest.raises(ValueError, match="got 'tiny', which is taken"):
        register_learner("tiny", pieces.TINY._replace(words="another"))


@pytest.mark.slow
def test_it_learns_the_default_world(pieces: Any, tmp_path: Path) -> None:
    config, _ = preset("tiny", "sidestep/MovingObstacles-v0", "none")
    assert replace(config, rollout_steps=8)
    out = str(tmp_path / "run")
    words = "tiny --total-steps 1000000 --num-envs 128 --evaluate-every 0 --seed 4"
    train.main([*words.split(), "--episodes", "500", "--gif-episodes", "0", "--out", out])
    evaluate.main([out, "--episodes", "500", "--out", str(tmp_path / "figures.json")])
    (figures,) = json.loads((tmp_path / "figures.json").read_text())
    assert figures["success"][0] > 0.7


@pytest.mark.slow
def test_in_fresh_processes(tmp_path: Path) -> None:
    module = ["--modules", "pieces"]
    succeeds(tmp_path, "train", "tiny", *module, *SHORT, "--out", "run")
    succeeds(tmp_path, "record", "run", "--out", "run.png")
    as_an_older(tmp_path / "run")
    assert "got 'tiny'; of one that another" in refused(tmp_path, "evaluate", "run")
    succeeds(tmp_path, "evaluate", "run", "--episodes", "5", *module)
    assert (tmp_path / "run.png").stat().st_size > 5000
