"""`sidestep sweep`: exact numbers of trials, the winner on fresh seeds, settings that repeat it."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("optuna")

from sidestep.agents import EnvConfig, evaluate, load_agent, make_vector
from sidestep.agents.environments import lanes_for
from sidestep.agents.training import EVALUATION, stream_seed
from sidestep.scripts import sweep, train
from sidestep.scripts.sweeps import trial as trials
from sidestep.scripts.sweeps import winner, work
from sidestep.scripts.sweeps.plots import history, importance, slices
from sidestep.scripts.sweeps.study import Study
from sidestep.scripts.sweeps.sweep import Sweep, sweep_of
from sidestep.scripts.sweeps.trial import middle
from sidestep.scripts.sweeps.workers import Worker
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint

SPACE = """
learning_rate = {log = [1e-4, 1e-1]}
hidden_sizes = {choices = [[5], [7, 3]]}
trace_decay = 0.7
"""
SMALL = ["--num-envs", "4", "--rollout-steps", "8", "--total-steps", "200", "--rungs", "2"]
SMALL += ["--evaluation-episodes", "6", "--evaluate-every", "100", "--episodes", "20"]
SMALL += ["--gif-episodes", "0"]


def words_in(folder: Path, *args: Any, seeds: int = 2) -> list[str]:
    """The words of a small sweep, learner first; its files are in `folder`."""
    space = folder / "space.toml"
    if not space.exists():
        space.write_text(SPACE)
    words = ["deep-sarsa", "--space", str(space), "--storage", str(folder / "s"), *SMALL]
    return [*words, "--seeds", str(seeds), "--fresh-seeds", "1", *map(str, args)]


def study_of(words: list[str]) -> tuple[Sweep, Study]:
    made = sweep_of(words[0], words[1:])
    return made, Study(made.folder, made.space, made.record(), lambda: 0.6)


def winners_of(made: Sweep, study: Study) -> list[Path]:
    best = study.best()
    assert best is not None
    return winner.folders_of(winner.runs_of(made, best.number, best.params))


def tensors(folder: Path) -> dict[str, bytes]:
    found, _ = load_checkpoint(latest_checkpoint(folder))
    return {name: tensor.numpy().tobytes() for name, tensor in found.items()}


@pytest.mark.slow
def test_a_search_and_what_it_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_in(tmp_path, "--trials", 4)
    sweep.main(words)
    told = capsys.readouterr().out
    made, study = study_of(words)
    assert study.counts() == {"complete": 4}  # too few for the median to prune
    best = study.best()
    assert best is not None and best.value == min(t.value or 9 for t in study.trials())
    assert f"Best: trial {best.number}, " in told and "Trials: 4 (4 complete)" in told

    # each value is the mean regret over the search's seeds, on worlds that all trials share
    for trial in study.trials():
        assert trial.value == np.mean(trial.user_attrs["seeds"]) and len(
            trial.user_attrs["seeds"]
        ) == 2  # fmt: skip
        assert trial.intermediate_values[2] == trial.value and len(trial.intermediate_values) == 2
    point = made.space.point_of(best.params)
    train.main([*config_of(tmp_path / "s"), "--seed", "1", "--out", str(tmp_path / "again"),
                "--gif-episodes", "0", "--episodes", "5"])  # fmt: skip
    agent, config = load_agent(tmp_path / "again")
    assert config.agent.learning_rate == point["learning_rate"]
    assert list(config.agent.network.hidden_sizes) == point["hidden_sizes"]
    assert config.agent.trace_decay == 0.7
    env = EnvConfig()
    place = make_vector(env, lanes_for(6, env))
    figures = evaluate(agent, place, 6, stream_seed(0, EVALUATION), tells=True).summary(
        study.optimum
    )
    assert figures["regret"][0] == best.user_attrs["seeds"][1]

    # the winner's runs are plain ones, on seeds that the search has not seen; only they are told
    folders = winners_of(made, study)
    assert [folder.name for folder in folders] == ["seed-2"]
    assert made.plan(None).seeds == (0, 1)
    for folder in folders:
        seed, figures = int(folder.name[5:]), json.loads((folder / "final.json").read_text())
        assert f"seed {seed}: " in told and f"regret {figures['regret'][0]:.4f}" in told
        assert json.loads((folder / "config.json").read_text())["training"]["seed"] == seed
    train.main([*config_of(tmp_path / "s"), "--seed", "2", "--out", str(tmp_path / "repeated"),
                "--gif-episodes", "0", "--episodes", "5"])  # fmt: skip
    assert tensors(tmp_path / "repeated") == tensors(folders[0])
    for name in ("history.png", "importance.png", "slices.png", "winner/trial-{}/curve.png"):
        assert (tmp_path / "s" / name.format(best.number)).read_bytes().startswith(b"\x89PNG")

    # the same again makes nothing, more trials go on, and another study is refused
    capsys.readouterr()
    before = {folder: tensors(folder) for folder in folders}
    sweep.main(words)
    again = capsys.readouterr().out
    assert "All 4 trials are made: none is added." in again
    assert "1 of 1 seeds are there already." in again
    assert again[again.index("\u250f") :] == told[told.index("\u250f") :]  # table and all after it
    assert {folder: tensors(folder) for folder in folders} == before
    monkeypatch.setattr(winner.seeds, "make_runs", lambda *_: [])
    sweep.main([*words, "--trials", "5"])
    assert study.counts() == {"complete": 5}
    with pytest.raises(SystemExit) as caught:
        sweep.main([*words, "--env", "CartPole-v1"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "expected env.id 'sidestep/MovingObstacles-v0'" in error


def config_of(storage: Path) -> list[str]:
    """The words of `sidestep train` with the winner's settings."""
    path = storage / "best.toml"
    told = tomllib.loads(path.read_text())
    assert told["learner"] == "deep-sarsa" and "seed" not in told
    assert next(iter(told)) == "learner" and list(told)[1:3] == ["trace_decay", "learning_rate"]
    return ["deep-sarsa", "--config", str(path)]


def test_fresh_seeds_are_none_of_the_search_s(tmp_path: Path) -> None:
    words = words_in(tmp_path, "--seed", 5, "--fresh-seeds", 4, seeds=3)
    made = sweep_of(words[0], words[1:])
    assert made.plan(None).seeds == (5, 6, 7) and made.fresh_seeds() == [8, 9, 10, 11]
    assert made.plan(None).evaluation_seed == 5
    told = sweep_of(words[0], [*words[1:], "--evaluation-seed", "3"])
    assert told.plan(None).evaluation_seed == 3


def test_the_value_over_seeds() -> None:
    assert middle([1.0, 2.0, 6.0]) == 3.0
    assert middle([0.0, 1.0, 3.0, 100.0]) == 2.0  # the middle half
    assert trials.value_of({"return_mean": [2.0, 1.0, 3.0], "regret": [0.5, 0, 1]}) == 0.5
    assert trials.value_of({"return_mean": [2.0, 1.0, 3.0]}) == 2.0


def test_returns_count_where_no_optimum_is_known_and_a_file_sets_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(winner.seeds, "make_runs", lambda *_: [])
    file = tmp_path / "rest.toml"
    file.write_text('env = "sidestep/Cue-v0"\nlearning_rate = 0.5\ndiscount = 0.25\n')
    words = words_in(tmp_path, "--trials", 3, "--config", file)
    sweep.main(words)
    made, study = study_of(words)
    assert study.optimum is None and made.options.env == "sidestep/Cue-v0"
    best = study.best()
    assert best is not None and best.value == max(t.value or -9 for t in study.trials())
    told = tomllib.loads((tmp_path / "s" / "best.toml").read_text())
    assert (told["env"], told["discount"]) == ("sidestep/Cue-v0", 0.25)
    assert told["learning_rate"] == best.params["learning_rate"] != 0.5  # the space is above it
    assert f"Best: trial {best.number}" in capsys.readouterr().out


def test_rungs_share_out_the_steps_and_seeds_go_side_by_side(tmp_path: Path) -> None:
    made = sweep_of("deep-sarsa", words_in(tmp_path, "--rungs", 3, seeds=3)[1:])
    steps: list[list[int]] = []
    point = made.space.corners()[0][1]
    seen: list[tuple[int, float]] = []
    plan = made.plan(0.6)
    train_to = trials._train_to

    def noting(trainer: Any, goal: int, stop: Any) -> None:
        train_to(trainer, goal, stop)
        steps.append([trainer.config.seed, goal, trainer.agent.steps])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "_train_to", noting)
        values = trials.run_trial(
            plan, made.options_of(point), lambda *told: bool(seen.append(told) or True)
        )
    assert [told[:2] for told in steps] == [
        [seed, goal] for goal in (67, 134, 200) for seed in (0, 1, 2)
    ]
    assert all(goal <= made_steps < goal + 32 for _, goal, made_steps in steps)
    assert [rung for rung, _ in seen] == [1, 2, 3] and seen[-1][1] == middle(values)


def test_trials_that_come_to_nothing_end_no_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, calls = work.run_trial, iter(range(9))
    errors = {0: FloatingPointError("loss is nan"), 1: RuntimeError("a fault\nof two lines")}

    def failing(*args: Any) -> list[float]:
        number = next(calls)
        if number in errors:
            raise errors[number]
        return [float("inf"), 1.0] if number == 2 else run(*args)

    monkeypatch.setattr(work, "run_trial", failing)
    monkeypatch.setattr(winner.seeds, "make_runs", lambda *_: [])
    words = words_in(tmp_path, "--trials", 4)
    sweep.main(words)
    told = capsys.readouterr().out
    assert "Trials: 4 (1 complete, 2 pruned, 1 failed)" in told
    assert "Trial 0: not finite: loss is nan" in told
    assert "Trial 1: RuntimeError: a fault of two lines" in told
    assert "Trial 2: not finite: [inf, 1.0]" in told and "Best: trial 3" in told
    with pytest.raises(SystemExit) as caught:
        monkeypatch.setattr(work, "run_trial", lambda *_: 1 / 0)
        sweep.main([*words, "--trials", "1", "--storage", str(tmp_path / "t")])
    assert caught.value.code == 2
    assert "trials: expected one that came to its end, got none" in capsys.readouterr().err


def test_pictures_show_the_trials(tmp_path: Path) -> None:
    words = words_in(tmp_path, "--trials", 9)
    _, study = study_of(words)
    values = [0.5, 0.4, 0.6, 0.2, 0.3, 0.9, 0.7]
    with Worker(tmp_path / "workers") as worker:
        assert study.take(worker, 9) is not None
        for value in values:
            trial: Any = study.take(worker, 9)
            study.report(trial, 1, value)
            if value == 0.9:
                study.prune(trial)
            else:
                study.complete(trial, value)
        failed: Any = study.take(worker, 9)
        study.fail(failed, "a fault")
    pruned, complete, best = history(study).axes[0].lines[:3]
    assert np.array(pruned.get_xydata()).tolist() == [[5, 0.9]]
    assert np.array(complete.get_xydata())[:, 1].tolist() == [0.5, 0.4, 0.6, 0.2, 0.3, 0.7]
    assert np.array(best.get_ydata()).tolist() == [0.5, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2]
    assert history(study).axes[0].lines[3].get_label() == "failed"
    drawn = importance(study)
    assert drawn is not None
    shares = [bar.get_width() for bar in drawn.axes[0].patches]  # type: ignore[attr-defined]
    assert sum(shares) == pytest.approx(1.0) and shares == sorted(shares)
    rate, sizes = slices(study).axes
    found = study.best()
    assert found is not None and rate.get_xscale() == "log"
    x, y = np.array(rate.collections[1].get_offsets())[0]
    assert (x, y) == (pytest.approx(found.params["learning_rate"]), 0.2)
    assert [label.get_text() for label in sizes.get_xticklabels()] == ["[5]", "[7, 3]"]


COMMAND = [sys.executable, "-m", "sidestep.scripts.cli", "sweep"]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


def started(words: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *words], cwd=folder, env=ONE_THREAD, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


HOLDING = """
import os, time
from pathlib import Path
from sidestep.scripts.sweeps import work

made = work.run_trial

def held(plan, options, report, stop):
    def told(rung, value):
        go_on = report(rung, value)
        Path(f"holding-{os.getpid()}").touch()
        while not stop() and not Path("go").exists():
            time.sleep(0.01)
        return go_on
    return made(plan, options, told, stop)

work.run_trial = held
"""
"""A module whose import holds each trial at its first rung until a file is there: when a process is
killed, it is in the middle of a trial and holds no lock."""


def hold(folder: Path) -> list[str]:
    """Write that module; the words with which commands in `folder` import it."""
    (folder / "holding.py").write_text(HOLDING)
    return ["--modules", "holding"]


def held(command: subprocess.Popen[str], folder: Path, count: int = 1) -> list[int]:
    """Wait until so many processes of a command hold a trial; their numbers."""
    while len(found := list(folder.glob("holding-*"))) < count:
        assert command.poll() is None, command.communicate()
        time.sleep(0.01)
    return [int(path.name[8:]) for path in found]


def at_work(study: Study) -> dict[int, int]:
    """The trials that are being made, by the process that makes them."""
    return {
        int(t.user_attrs["worker"].split("-")[-2]): t.number
        for t in study.trials()
        if t.state.name == "RUNNING" and t.user_attrs.get("worker")
    }


@pytest.mark.slow
def test_two_processes_make_the_trials_asked_for_though_one_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winner.seeds, "make_runs", lambda *_: [])
    words = words_in(tmp_path, "--trials", 6, "--pruner", "none")
    made, study = study_of(words)
    other = started([*words, *hold(tmp_path)], tmp_path)
    assert held(other, tmp_path) == [other.pid]
    killed = at_work(study)[other.pid]
    ended: list[int] = []

    def kill(plan: trials.Plan, *rest: Any) -> list[float]:
        if not ended and study.counts()["running"] == 2:  # both are in the middle of a trial
            other.kill()
            ended.append(other.wait())
        return trials.run_trial(plan, *rest)

    monkeypatch.setattr(work, "run_trial", kill)
    sweep.main(words)
    other.communicate()
    assert ended == [-signal.SIGKILL]
    assert study.counts() == {"complete": 6}
    attempts = [t.user_attrs["attempts"] for t in study.trials()]
    assert attempts[killed] == 2 and sum(attempts) == 7
    assert "Trials: 6 (6 complete)" in capsys.readouterr().out
    assert not list((made.folder / "workers").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["child", "command"])
def test_processes_of_one_command(whom: str, tmp_path: Path) -> None:
    words = words_in(tmp_path, "--trials", 6, "--jobs", 2)
    made, study = study_of(words)
    command = started([*words, *hold(tmp_path)], tmp_path)
    children = held(command, tmp_path, 2)
    os.kill(children[0] if whom == "child" else command.pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    told, _ = command.communicate(timeout=300)
    if whom == "child":
        assert command.returncode == 0, told
        assert "A worker ended by signal 9; another one takes up its trial." in told
    else:  # its processes end too, and the next command goes on
        end = time.monotonic() + 30
        while at_work(study) and time.monotonic() < end:
            time.sleep(0.05)
        assert not at_work(study)
        sweep.main([*words, "--jobs", "1"])
    assert sum(study.counts().values()) == 6 and study.counts()["running"] == 0
    assert all((folder / "final.json").exists() for folder in winners_of(made, study))


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_stopped_search_goes_on(jobs: int, tmp_path: Path) -> None:
    words = words_in(tmp_path, "--trials", 5, "--jobs", jobs)
    _, study = study_of(words)
    for _ in range(2):
        command = started([*words, *hold(tmp_path)], tmp_path)
        for number in held(command, tmp_path, jobs):
            (tmp_path / f"holding-{number}").unlink()
        os.killpg(command.pid, signal.SIGINT)  # as a terminal does
        told, _ = command.communicate(timeout=300)
        assert command.returncode == 130 and "the same command goes on from here" in told
        assert "Traceback" not in told
        assert not at_work(study)
    sweep.main(words)
    assert sum(study.counts().values()) == 5
    assert all(t.user_attrs["attempts"] == 1 for t in study.trials())
