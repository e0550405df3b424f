"""Schedules belong to a stated total: in pieces, after loading, and those of earlier runs."""

import hashlib
import json
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from sidestep.agents import (
    REINFORCE,
    DeepSARSA,
    DeepSarsaConfig,
    EnvConfig,
    NetworkConfig,
    ReinforceConfig,
    TrainingConfig,
    load_agent,
)
from sidestep.agents.runs import RunConfig, read_config
from sidestep.agents.training import unfinished
from sidestep.scripts import evaluate, train
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from sidestep.sequence.fitting.log import read_log

from ..toys import Native

ID = "sidestep/MovingObstacles-v0"
KINDS = [
    (DeepSARSA, DeepSarsaConfig, {"target": "sarsa", "minibatches": 2}),
    (REINFORCE, ReinforceConfig, {"batch": "rollout"}),
]


def model_of(kind: Any, config: Any, options: dict[str, Any], **keywords: Any) -> Any:
    network = NetworkConfig((7,), "gru", 5)
    rates = {"learning_rate": 3e-3, "final_learning_rate": 0.0}
    settings = config(network=network, rollout_steps=8, **rates, **options)
    return kind(Native(AutoresetMode.SAME_STEP, 5), settings, **keywords)


def rate_of(model: Any) -> float:
    return float(model.agent.optimizer.param_groups[0]["lr"])


def exploration_of(model: Any) -> float:
    agent = model.agent
    return float(agent.epsilon if isinstance(model, DeepSARSA) else agent.entropy_coefficient)


@pytest.mark.parametrize(("kind", "config", "options"), KINDS)
def test_four_pieces_are_one_training(kind: Any, config: Any, options: Any) -> None:
    def watched(model: Any, pieces: int) -> list[Any]:
        seen: list[Any] = []
        for _ in range(pieces):
            model.learn(480 // pieces, lambda p: seen.append((p.steps, rate_of(model), p.metrics)))
        return seen

    whole = model_of(kind, config, options)
    pieces = model_of(kind, config, options, total_timesteps=480)
    want, got = watched(whole, 1), watched(pieces, 4)
    assert got == want and len(got) == 12
    rates = [rate for _, rate, _ in got]
    assert rates == pytest.approx([3e-3 * (1 - k / 12) for k in range(12)])
    assert torch.equal(whole.agent.flat, pieces.agent.flat)
    assert exploration_of(pieces) == exploration_of(whole)


@pytest.mark.parametrize("kind", [DeepSARSA, REINFORCE])
def test_pieces_end_with_the_stated_total_where_updates_are_longer_than_asked(kind: Any) -> None:
    whole, pieces = (kind(ID, num_envs=8, total_timesteps=1200) for _ in range(2))
    whole.learn(1200)
    for _ in range(4):
        pieces.learn(300)
    assert pieces.num_timesteps == whole.num_timesteps >= 1200
    assert torch.equal(whole.agent.flat, pieces.agent.flat)
    assert pieces.learn(300).num_timesteps >= whole.num_timesteps + 300  # more than was stated


def test_without_a_stated_total_the_first_call_states_it_and_nothing_jumps_back() -> None:
    model = DeepSARSA(ID, num_envs=8)
    rates: list[float] = []
    for _ in range(4):
        model.learn(300, lambda _: rates.append(rate_of(model)))
    assert model.total_timesteps == 300 and model.agent.epsilon == 0
    assert all(after <= before for before, after in pairwise(rates))
    assert rates[-1] == pytest.approx(3e-5)
    model.learn(300, lambda _: rates.append(rate_of(model)), reset_num_timesteps=True)
    assert model.num_timesteps < 340 and rates.count(3e-3) == 2  # a new schedule, from its start


@pytest.mark.parametrize(("kind", "config", "options"), KINDS)
def test_nothing_is_learned_at_a_rate_of_0_without_a_word(
    kind: Any, config: Any, options: Any
) -> None:
    model = model_of(kind, config, options).learn(200)
    before = model.agent.flat.detach().clone()
    with pytest.raises(ValueError, match=r"before 200, the stated total, .* got 200 after 200; "):
        model.learn(200)
    assert torch.equal(model.agent.flat, before) and model.num_timesteps == 200
    model.learn(200, reset_num_timesteps=True)
    assert not torch.equal(model.agent.flat, before)


def test_loading_goes_on_with_the_schedule_on_worlds_of_its_own(tmp_path: Path) -> None:
    def first_worlds(model: Any) -> Any:
        shown: list[Any] = []
        reset = model.env.reset

        def note(**keywords: Any) -> Any:
            obs, info = reset(**keywords)
            shown.append(obs.copy())
            return obs, info

        model.env.reset = note
        model.learn(200)
        return shown[0]

    for kind in (DeepSARSA, REINFORCE):
        model = kind(ID, num_envs=6, total_timesteps=800)
        first = first_worlds(model)
        model.save(tmp_path / "model")
        again = kind.load(tmp_path / "model")
        assert again.total_timesteps == 800
        assert exploration_of(again) == exploration_of(model)
        second = first_worlds(again)
        assert first.shape == second.shape and not np.array_equal(first, second)
        again.learn(200)
        assert 3e-3 > rate_of(again) > 3e-4
        anew = kind.load(tmp_path / "model")
        anew.env.reset, reset = None, anew.env.reset
        with pytest.raises(TypeError):
            anew.learn(200, reset_num_timesteps=True)
        anew.env.reset = reset
        third = first_worlds(anew)
        assert not np.array_equal(first, third)


def test_exploration_ends_within_any_training() -> None:
    for total in (400, 1_000_000):
        for _, config, _ in KINDS:
            settings = config()
            assert (
                settings.exploration_steps(total) <= total and unfinished(settings, total) is None
            )
    late = DeepSarsaConfig(epsilon_steps=1_000_000), ReinforceConfig(entropy_steps=1_000_000)
    for settings in late:
        assert settings.exploration_steps(123) == 1_000_000
        words = unfinished(settings, 400_000)
        assert words is not None and "1,000,000 steps, but training ends after 400,000" in words


def test_a_schedule_longer_than_training_is_told() -> None:
    config = DeepSarsaConfig(network=NetworkConfig((7,)), epsilon_steps=900)
    model = DeepSARSA(ID, config, num_envs=4)
    with pytest.warns(UserWarning, match="falls over 900 steps, but training ends after 100"):
        model.learn(100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.learn(100)  # once is enough
        DeepSARSA(ID, config, num_envs=4, total_timesteps=1000).learn(100)


def of_before(folder: Path) -> RunConfig:
    """Make a run what it would be had it been begun before fractions and layouts of pictures."""
    path = folder / "config.json"
    record = json.loads(path.read_text())
    for name in ("epsilon_fraction", "entropy_fraction"):
        record["agent"].pop(name, None)
    del record["agent"]["network"]["channels_axis"], record["agent"]["network"]["codes"]
    path.write_text(json.dumps(record, indent=1) + "\n")
    record["training"]["total_steps"] = 1
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    for checkpoint in folder.glob("*.json"):
        if checkpoint.name not in ("config.json", "final.json"):
            tensors, facts = load_checkpoint(checkpoint)
            del facts["total_steps"]
            own = ("format", "tensors", "bytes", "sha256")
            facts = {k: v for k, v in facts.items() if k not in own} | {"run": digest}
            save_checkpoint(folder, checkpoint.stem, tensors, facts)
    return read_config(folder)


@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_runs_begun_before_are_read_evaluated_and_resumed(learner: str, tmp_path: Path) -> None:
    folder, other = tmp_path / "old", tmp_path / "new"
    name = "epsilon" if learner == "deep-sarsa" else "entropy"
    start, end = (1.0, 0.05) if learner == "deep-sarsa" else (0.1, 0.005)
    words = f"--num-envs 4 --hidden-sizes 7 --{name}-steps 700 --gif-episodes 0 --episodes 4"
    words += f" --{name}-start {start} --{name}-end {end}"
    small = [learner, *words.split(), "--final-learning-rate", "None", "--evaluate-every", "0"]
    train.main([*small, "--total-steps", "300", "--out", str(folder)])
    train.main([*small, "--total-steps", "600", "--out", str(other)])
    config = of_before(folder)
    assert config.agent.exploration_steps(300) == 700
    agent: Any = load_agent(folder)[0]
    value = agent.epsilon if learner == "deep-sarsa" else agent.entropy_coefficient
    assert value == pytest.approx(start + (end - start) * agent.steps / 700)
    evaluate.main([str(folder), "--episodes", "4", "--sampled"])
    train.main(["resume", str(folder), "--total-steps", "600", "--gif-episodes", "0",
                "--episodes", "4"])  # fmt: skip
    got, want = (load_checkpoint(latest_checkpoint(f))[0] for f in (folder, other))
    assert got.keys() == want.keys() and all(torch.equal(got[k], want[k]) for k in want)
    changed = (folder / "config.json").read_text().replace('"discount": 0.', '"discount": 0.0')
    (folder / "config.json").write_text(changed)
    with pytest.raises(SystemExit):
        train.main(["resume", str(folder), "--total-steps", "900"])


def test_the_command_ends_exploration_with_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "deep-sarsa --env sidestep/Glimpse-v0 --memory attention --total-steps 2000"
    small = "--num-envs 8 --hidden-sizes 7 --gif-episodes 0 --episodes 4 --evaluate-every 0"
    late = ["--epsilon-steps", "5000"]
    for number, flags in enumerate([[], late]):
        folder = tmp_path / str(number)
        train.main([*words.split(), *small.split(), *flags, "--out", str(folder)])
        printed = " ".join(capsys.readouterr().out.split())
        epsilon = read_log(folder)[-1]["epsilon"]
        if flags:
            assert "falls over 5,000 steps, but training ends after 2,000, at 40% of" in printed
            assert 0.55 < epsilon < 0.65
        else:
            assert "Exploration falls" not in printed and epsilon == 0.05
    train.main(["resume", str(tmp_path / "0"), "--total-steps", "9000", "--gif-episodes", "0",
                "--episodes", "4"])  # fmt: skip
    printed = " ".join(capsys.readouterr().out.split())
    assert "The learning rate falls over 9,000 steps from here, not over 2,000" in printed
    assert "Exploration falls over 3,000 steps from here, not over 667." in printed
    (tmp_path / "0" / "curve.png").unlink()  # as if killed: the total is that of the resumed run
    agent: Any = load_agent(tmp_path / "0")[0]
    assert agent.total_steps == 9000 and agent.steps >= 9000
    train.main(["resume", str(tmp_path / "0"), "--gif-episodes", "0", "--episodes", "4"])
    assert "falls over" not in capsys.readouterr().out


def test_the_digest_of_a_run_is_that_of_all_its_fields() -> None:
    config = RunConfig("deep-sarsa", EnvConfig(), DeepSarsaConfig(), TrainingConfig(seed=3))
    record = json.loads(config.to_json())
    record["training"]["total_steps"] = 1
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    assert config.identity() == RunConfig.from_json(config.to_json()).identity() == digest
