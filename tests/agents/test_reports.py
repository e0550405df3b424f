"""What `learn` says, and what callbacks and evaluations on the way do."""

import re
from itertools import count
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from sidestep.agents import (
    REINFORCE,
    DeepSARSA,
    DeepSarsaConfig,
    EnvConfig,
    Evaluation,
    NetworkConfig,
    Progress,
    evaluate,
    make_vector,
    training,
)
from sidestep.agents.player import Player
from sidestep.agents.reports import figures_of, line_of
from sidestep.agents.training import EVALUATION, stream_seed
from sidestep.sequence.fitting.runs import Every

from .toys import Native

ID = "sidestep/MovingObstacles-v0"


def small(**keywords: Any) -> DeepSARSA:
    config = DeepSarsaConfig(network=NetworkConfig((7,)), rollout_steps=8)
    return DeepSARSA(Native(AutoresetMode.SAME_STEP, 5), config, **keywords)


@pytest.mark.parametrize("answer", [None, True, 0, "", [], np.True_])
def test_a_callback_that_does_not_say_false_goes_on(answer: Any) -> None:
    seen: list[int] = []
    small().learn(200, lambda progress: seen.append(progress.steps) or answer)
    assert seen == [40, 80, 120, 160, 200]


@pytest.mark.parametrize("answer", [False, np.False_])
def test_false_stops(answer: Any) -> None:
    model = small().learn(200, lambda progress: answer if progress.steps >= 80 else None)
    assert model.num_timesteps == 80


def test_what_is_no_function_is_refused_before_anything_happens() -> None:
    for wrong in ([print], object(), "stop"):
        model = small()
        with pytest.raises(TypeError, match=r"callback: expected a function of a Progress, got an"):
            model.learn(200, wrong)  # type: ignore[arg-type]
        assert model.num_timesteps == 0 and model.total_timesteps is None


def test_learn_is_silent_until_it_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    small().learn(400)
    assert capsys.readouterr() == ("", "")
    small(verbose=1).learn(400, log_interval=None)
    assert capsys.readouterr() == ("", "")
    small(verbose=1).learn(400, log_interval=4)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == "" and [line.split(" steps")[0] for line in lines] == ["160", "320"]
    for line in lines:
        assert re.search(r"steps/s  return -?\d+\.\d\d  success \d+%  epsilon \d\.\d\d$", line)


def test_learning_past_the_stated_total_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    model, words = small(verbose=1), "Rate and exploration stay at their end: 200 steps were stated"
    model.learn(200)
    assert words not in capsys.readouterr().out
    model.learn(200)
    assert capsys.readouterr().out.startswith(words)
    model.learn(200, reset_num_timesteps=True)
    assert words not in capsys.readouterr().out


def test_a_bar_shows_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    model = small(verbose=1, total_timesteps=800)
    for end in (400, 800):
        model.learn(400, progress_bar=True)
        out, err = capsys.readouterr()
        assert "100%" in err and "400/400" in err and "return" in err and "epsilon" in err
        assert out.splitlines()[-1].startswith(f"{end} steps")
    model.learn(200, lambda _: False, progress_bar=True)
    assert "40.0/200" in capsys.readouterr().err


def test_speed_is_that_of_this_call(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress(3_000_500, 0.25, {}, None)
    assert figures_of(progress, 3_000_000) == "2,000 steps/s"
    assert figures_of(Progress(50_000, 2.0, {"success": 0.5}, None)) == "25k steps/s  success 50%"
    clock = count()
    monkeypatch.setattr("sidestep.sequence.fitting.runs.time.perf_counter", lambda: next(clock))
    model, seconds = small(total_timesteps=400), []
    for _ in range(2):
        model.learn(200, lambda p: seconds.append(p.seconds))
    assert seconds == [1, 2, 3, 4, 5] * 2


def test_evaluations_on_the_way() -> None:
    model = REINFORCE(ID, num_envs=4)
    seen: list[Progress] = []
    model.learn(1500, seen.append, evaluate_every=500, evaluation_episodes=7)
    made = [p for p in seen if p.evaluation is not None]
    assert [p.steps // 500 for p in made] == [1, 2, 3]
    for p in made:
        assert p.evaluation is not None and p.evaluation["episodes"] == 7
        low, high = -1.05 - 0.05 * 100, 0.6
        assert low <= p.evaluation["return_mean"][0] <= high
        assert f"evaluation: return {p.evaluation['return_mean'][0]:.2f}, success" in line_of(p)
    seen.clear()
    model.learn(600, seen.append)
    assert not any(p.evaluation for p in seen)
    model.learn(600, seen.append, evaluate_every=500, evaluation_episodes=3)
    assert any(p.evaluation for p in seen)


def test_evaluations_leave_learning_alone_and_say_what_they_need(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain, watched = small(), small(verbose=1)
    plain.learn(200)
    with pytest.raises(ValueError, match=r"evaluate_every: expected evaluation_env= beside it"):
        watched.learn(200, evaluate_every=80)
    other = SyncVectorEnv([lambda: gym.make("CartPole-v1")])
    with pytest.raises(ValueError, match=r"evaluation_env: expected one with the model's spaces"):
        watched.learn(200, evaluate_every=80, evaluation_env=other)
    own = Native(AutoresetMode.NEXT_STEP, 2)
    watched.learn(200, evaluate_every=80, evaluation_episodes=5, evaluation_env=own)
    assert (plain.agent.flat == watched.agent.flat).all()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "evaluation: return" in line] == ["80", "160"]


def test_figures_come_back_and_seeds_share_their_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def noting(*args: Any) -> Evaluation:
        seeds.append(args[3])
        return evaluate(*args)

    monkeypatch.setattr(training, "evaluate", noting)
    for seed in (0, 1):
        model = DeepSARSA(ID, num_envs=4, seed=seed, total_timesteps=320)
        assert model.evaluations == []
        model.learn(160, evaluate_every=160, evaluation_episodes=7, evaluation_seed=5)
        model.learn(160, evaluate_every=160, evaluation_episodes=7, evaluation_seed=5)
        first, last = model.evaluations
        assert 160 <= first["steps"] < 200 and last["steps"] == model.num_timesteps
        again = evaluate(model.agent, make_vector(EnvConfig(ID), 7), 7, stream_seed(5, EVALUATION))
        assert last == {"steps": last["steps"], **again.summary()}
    assert set(seeds) == {stream_seed(5, EVALUATION)}
    model.learn(160, reset_num_timesteps=True, evaluate_every=160, evaluation_episodes=2)
    assert [figures["episodes"] for figures in model.evaluations] == [2]
    assert seeds[-1] == stream_seed(1, EVALUATION) != seeds[0]


WRONG = [({"total_timesteps": n}, "total_timesteps") for n in (0, -5, 2.5, "many", None, np.nan)]
WRONG += [({"total_timesteps": 9, name: n}, name) for name, n in
          (("log_interval", 0), ("evaluate_every", -1))]  # fmt: skip


@pytest.mark.parametrize(("keywords", "name"), WRONG)
def test_numbers_that_are_no_counts_are_refused(keywords: Any, name: str) -> None:
    model = small()
    with pytest.raises(ValueError, match=f"{name}: expected a whole number of at least 1, got"):
        model.learn(**keywords)
    assert model.num_timesteps == 0
    assert model.learn(1e2).num_timesteps == 120  # type: ignore[arg-type]
    if name == "total_timesteps" and keywords[name] is not None:
        with pytest.raises(ValueError, match="total_timesteps: expected a whole number"):
            small(**keywords)


def test_representations_tell_what_is_what() -> None:
    model = DeepSARSA(ID, num_envs=4, seed=3).learn(100)
    assert repr(model) == (
        "DeepSARSA('sidestep/MovingObstacles-v0', memory='none', num_envs=4, seed=3, "
        f"num_timesteps={model.num_timesteps})"
    )
    assert repr(small()).startswith("DeepSARSA('Native', memory='none', num_envs=5, seed=0")
    agent = model.agent
    assert repr(agent) == (
        "DeepSarsa(observation=(15,), actions=5, memory='none', "
        f"parameters={agent.flat.numel():,}, steps={agent.steps:,})"
    )
    assert repr(agent.encoder) == "ObservationEncoder(shape=(15,), normalize=False)"
    trainer = model._trainer
    assert repr(trainer).startswith("Trainer(DeepSarsa(observation=(15,)")
    assert f"env_steps={agent.steps:,} of " in repr(trainer)
    assert trainer is not None
    assert repr(trainer.collector) == (
        f"Collector(MovingObstaclesVectorEnv, num_envs=4, mode=NEXT_STEP, policy={agent!r})"
    )
    assert repr(Player(agent)) == f"Player({agent!r}, greedy=True)"
    assert repr(trainer.log) == "RunLog(None)" and repr(Every(100, 250)) == "Every(100, next=300)"
    assert repr(trainer.recent).startswith(f"Recent(episodes={trainer.recent.episodes}, return=")


def test_a_loaded_model_talks_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = DeepSARSA(ID, num_envs=4, total_timesteps=2000).learn(200)
    model.save(tmp_path / "model")
    for verbose in (0, 1):
        again = DeepSARSA.load(tmp_path / "model", verbose=verbose)
        again.learn(200, log_interval=1)
        lines = capsys.readouterr().out.splitlines()
        assert bool(lines) == bool(verbose)
    assert int(lines[0].split()[0]) > model.num_timesteps
