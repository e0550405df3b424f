"""`sidestep train` and `sidestep evaluate` from the command line."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch

from sidestep.agents import Agent, EnvConfig, environments, make_vector, runs, training
from sidestep.agents.runs import read_checkpoint, read_config, restore_agent
from sidestep.envs import Level
from sidestep.scripts import evaluate, train
from sidestep.scripts.shared import optimum
from sidestep.scripts.studies import run as one_run
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint
from sidestep.sequence.fitting.log import read_log

SMALL = ["--num-envs", "4", "--rollout-steps", "8", "--hidden-sizes", "7", "--log-every", "200"]
BRIEF = ["--gif-episodes", "0", "--episodes", "20", "--evaluation-episodes", "10"]


def run(*args: Any, small: bool = True) -> None:
    train.main([str(a) for a in args] + (SMALL if small else []) + BRIEF)


def resume(folder: Path, *args: Any) -> None:
    train.main(["resume", str(folder), *map(str, args), "--gif-episodes", "0", "--episodes", "20"])


def fails(capsys: pytest.CaptureFixture[str], call: Any, code: int = 2) -> str:
    """The one line that a wrong call ends with."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        call()
    assert caught.value.code == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def agent_of(path: Path) -> dict[str, bytes]:
    tensors, _ = load_checkpoint(path)
    return {k: v.numpy().tobytes() for k, v in tensors.items()}


def test_a_run_leaves_its_folder_and_ends_with_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / "one"
    run("deep-sarsa", "--total-steps", 1500, "--evaluate-every", 700, "--out", folder)
    printed = capsys.readouterr().out
    for words in ("success", "hits", "timeouts", "mean return", "20 episodes", "steps/s"):
        assert words in printed
    names = {p.name for p in folder.iterdir() if p.suffix != ".safetensors"}
    assert {"config.json", "metrics.jsonl", "curve.png", "best.json"} <= names
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    lines = read_log(folder)
    assert next(line for line in lines if "evaluation" in line)["evaluation"]["episodes"] == 10
    last = lines[-1]
    assert last["steps"] == load_checkpoint(latest_checkpoint(folder))[1]["steps"] >= 1500
    assert {"return", "success", "epsilon", "loss", "gradient_norm", "episodes"} <= last.keys()
    config = json.loads((folder / "config.json").read_text())
    assert config["learner"] == "deep-sarsa" and config["agent"]["network"]["hidden_sizes"] == [7]
    # evaluate repeats the table of the end, from the checkpoint alone
    table = printed[printed.index("│ success") : printed.index("└")]
    evaluate.main([str(folder), "--episodes", "20"])
    assert table in capsys.readouterr().out


def test_crossing_is_trained_on_many_levels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "TRAINING_LEVELS", 90)
    monkeypatch.setattr(optimum, "PATIENCE", 0)  # not solved
    arguments = ("--total-steps", 300, "--evaluate-every", 0, "--out")
    words = ("--env", "sidestep/Crossing-v0", *arguments)
    run("reinforce", *words, tmp_path / "run")
    assert read_config(tmp_path / "run").env.keywords() == {"pool": {"count": 90}}
    env = make_vector(read_config(tmp_path / "run").env, 2)
    assert len(env.unwrapped.world.levels) == 90  # type: ignore[attr-defined]
    run("reinforce", *words, tmp_path / "few", "--env-kwargs", "pool={}")
    assert read_config(tmp_path / "few").env.keywords() == {"pool": {}}


@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
@pytest.mark.parametrize("every", [300, 0])
def test_the_world_is_solved_when_there_is_something_to_compare(
    learner: str, every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    learn, play, solve = Agent.step_down, training.evaluate, optimum.solve_levels

    def noting(word: str, action: Any) -> Any:
        return lambda *args, **keywords: (events.append(word), action(*args, **keywords))[1]

    monkeypatch.setattr(Agent, "step_down", noting("learn", learn))
    for module in (training, one_run):
        monkeypatch.setattr(module, "evaluate", noting("evaluate", play))
    monkeypatch.setattr(optimum, "solve_levels", noting("solve", solve))
    optimum._solved.cache_clear()
    run(learner, "--total-steps", 1000, "--evaluate-every", every, "--out", tmp_path / "run")
    assert events.count("solve") == 1
    before = events[: events.index("solve")]
    assert before.count("evaluate") == 1 and before[-1] == "evaluate" and before[0] == "learn"
    assert ("learn" in events[len(before) :]) == (every > 0)
    known = [
        line["evaluation"]["optimum"] for line in read_log(tmp_path / "run") if "evaluation" in line
    ]
    assert len(known) == (3 if every else 0) and known == pytest.approx([0.5996] * len(known))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lanes of every vector env that is made, and 0 for a single one."""
    lanes: list[int] = []
    make, make_vec = gym.make, gym.make_vec

    def note(number: int, action: Any) -> Any:
        lanes.append(number)
        return action()

    def several(id: Any, num_envs: int, **keywords: Any) -> Any:
        return note(num_envs, lambda: make_vec(id, num_envs, **keywords))

    monkeypatch.setattr(gym, "make", lambda *a, **k: note(0, lambda: make(*a, **k)))
    monkeypatch.setattr(gym, "make_vec", several)
    return lanes


def test_every_env_that_is_made_is_played_in(tmp_path: Path, made: list[int]) -> None:
    folder = tmp_path / "run"
    run("deep-sarsa", "--total-steps", 100, "--evaluate-every", 50, "--out", folder)
    assert made == [4, 10, 20]  # to train in, to evaluate in, for the table of the end
    made.clear()
    resume(folder, "--total-steps", 200)
    assert made == [4, 10, 20]
    made.clear()
    evaluate.main([str(folder), "--episodes", "30"])
    assert made == [30, 0]  # played in, and solved
    made.clear()
    run("reinforce", "--total-steps", 100, "--evaluate-every", 0, "--out", tmp_path / "other")
    assert made == [4, 20]


def test_a_map_is_read_once_an_env_and_checked_once_a_command(
    tmp_path: Path, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    level = tmp_path / "level.txt"
    level.write_text("S..v.\n.....\n....G")
    counts: Counter[str] = Counter()
    parse, check = Level.parse, Level.__post_init__

    def noting(word: str, action: Any) -> Any:
        return lambda *args: (counts.update([word]), action(*args))[1]

    monkeypatch.setattr(Level, "parse", staticmethod(noting("parsed", parse)))
    monkeypatch.setattr(Level, "__post_init__", noting("checked", check))
    options = ["--env-kwargs", f"level={level}", "--total-steps", 100, "--evaluate-every", 50]
    run("deep-sarsa", *options, "--out", tmp_path / "run")
    assert len(made) == 3 and counts == {"parsed": 3, "checked": 1}


def test_the_agent_has_the_spaces_of_the_env_that_is_there(tmp_path: Path) -> None:
    run("deep-sarsa", "--env", "CartPole-v1", "--total-steps", 100, "--out", tmp_path / "run")
    restored = read_checkpoint(tmp_path / "run")
    env = make_vector(EnvConfig("CartPole-v1"), 3)
    agent = restore_agent(restored, env)
    assert agent.observation_space is env.single_observation_space
    assert agent.action_space is env.single_action_space and agent.encoder.frozen
    other = make_vector(EnvConfig(), 3)
    with pytest.raises(ValueError, match="checkpoint"):
        restore_agent(restored, other)
    for one in (env, other):
        one.close()


@pytest.mark.parametrize(("learner", "memory"), [("deep-sarsa", "lstm"), ("reinforce", "none")])
def test_resuming_equals_never_having_stopped(learner: str, memory: str, tmp_path: Path) -> None:
    options = [learner, "--memory", memory, "--memory-size", 5, "--seed", 3]
    options += ["--final-learning-rate", "None"]  # one that falls knows where the end is
    options += ["--epsilon-steps" if learner == "deep-sarsa" else "--entropy-steps", 400]
    run(*options, "--total-steps", 600, "--out", tmp_path / "whole")
    run(*options, "--total-steps", 300, "--out", tmp_path / "parts")
    resume(tmp_path / "parts", "--total-steps", 600)
    whole, parts = (latest_checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert whole.name == parts.name and agent_of(whole) == agent_of(parts)


def test_a_run_killed_before_its_final_table_is_ended_by_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    run("reinforce", "--total-steps", 100, "--out", folder)
    printed = capsys.readouterr().out
    table = printed[printed.index("│ success") : printed.index("└")]
    trained = agent_of(latest_checkpoint(folder))
    (folder / "curve.png").unlink()  # as if it had been killed while the table was made
    resume(folder)
    assert table in capsys.readouterr().out
    assert (folder / "curve.png").exists() and agent_of(latest_checkpoint(folder)) == trained
    assert "expected more than" in fails(capsys, lambda: resume(folder))


def test_more_steps_than_begun_with_bend_a_falling_learning_rate_and_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    run("deep-sarsa", "--final-learning-rate", 1e-4, "--total-steps", 100, "--out", folder)
    resume(folder, "--total-steps", 200)
    words = " ".join(capsys.readouterr().out.split())
    assert "falls over 200 steps from here, not over 100" in words


def test_a_run_shorter_than_an_interval_is_complete(tmp_path: Path) -> None:
    run("reinforce", "--total-steps", 60, "--log-every", 10**6, "--out", tmp_path / "r")
    (line,) = read_log(tmp_path / "r")
    assert line["steps"] >= 60
    assert (tmp_path / "r" / "curve.png").exists()


def test_foreign_envs_resume_on_fresh_seeds_and_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "lake"
    kwargs = ["--env-kwargs", "is_slippery=False", "--max-episode-steps", 20]
    run("deep-sarsa", "--env", "FrozenLake-v1", *kwargs, "--total-steps", 300, "--out", folder)
    resume(folder, "--total-steps", 500)
    assert "new episodes begin on fresh seeds" in capsys.readouterr().out
    assert any(line.get("fresh_seeds") for line in read_log(folder))


def test_evaluate_repeats_itself_and_writes_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "run", tmp_path / "figures.json"
    run("reinforce", "--memory", "gru", "--total-steps", 400, "--evaluate-every", 200,
        "--out", folder)  # fmt: skip
    printed = []
    for args in (["--seed", "5"], ["--seed", "5"], ["--seed", "6"], ["--seed", "5", "--sampled"]):
        capsys.readouterr()
        evaluate.main([str(folder), "--episodes", "40", "--out", str(out), *args])
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and len(set(printed)) == 3
    (figures,) = json.loads(out.read_text())
    assert figures["episodes"] == 40 and figures["seed"] == 5 and figures["greedy"] is False
    evaluate.main([str(folder), "--episodes", "10", "--checkpoint", "best"])


def test_a_run_goes_on_where_its_device_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun on a GPU, which the CPU stands in for; resumed and evaluated without one."""
    gone, whole = tmp_path / "gone", tmp_path / "whole"
    with monkeypatch.context() as there:
        there.setattr(runs, "device_of", lambda name, work=None: "cpu")
        run("deep-sarsa", "--total-steps", 600, "--device", "cuda:7", "--out", gone)
    run("deep-sarsa", "--total-steps", 600, "--device", "cpu", "--out", whole)
    line = fails(capsys, lambda: resume(gone, "--total-steps", 1200))
    assert "device: expected one that is there, got 'cuda:7'" in line
    line = fails(capsys, lambda: evaluate.main([str(gone), "--device", "quantum"]))
    assert "device: expected one that is there, got 'quantum'" in line
    resume(gone, "--total-steps", 1200, "--device", "cpu")
    resume(whole, "--total-steps", 1200, "--device", "auto")
    evaluate.main([str(gone), "--episodes", "20", "--device", "cpu"])
    assert agent_of(latest_checkpoint(gone)) == agent_of(latest_checkpoint(whole))
    assert read_config(gone).training.device == "cuda:7"


WRONG = [
    (["nothing"], "expected a learner (deep-sarsa, reinforce, resume), got 'nothing'"),
    ([], "expected a learner (deep-sarsa, reinforce, resume), got none"),
    (["deep-sarsa", "--env", "Nope-v0"], "Environment `Nope` doesn't exist"),
    (["deep-sarsa", "--env", "sidestep/Nope-v0"], "doesn't exist in namespace sidestep"),
    (["deep-sarsa", "--env", "nomodule:X-v0"], "expected a module to import"),
    (["deep-sarsa", "--env", "Pendulum-v1"], "expected Discrete counted from 0, got Box"),
    (["deep-sarsa", "--env-kwargs", "size"], "expected name=value, got 'size'"),
    (["deep-sarsa", "--env-kwargs", "size=3"], "got an unexpected keyword argument 'size'"),
    (["deep-sarsa", "--device", "quantum"], "device: expected one that is there, got 'quantum'"),
    (["deep-sarsa", "--memory", "attention", "--memory-layers", "2"], "expected num_layers=1"),
]


@pytest.mark.parametrize(("args", "message"), WRONG)
def test_wrong_input_ends_with_one_line_and_leaves_nothing(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "run")] if len(args) > 1 else []
    line = fails(capsys, lambda: train.main([*args, *out]))
    assert line.startswith("sidestep train: ") and message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["deep-sarsa", "--memory", "elman"], "none, rnn, lstm, gru"),
        (["deep-sarsa", "--discount", "2"], "discount: expected a number in [0, 1], got 2.0"),
        (["deep-sarsa", "--total-steps", "0"], "total_steps: expected at least 1, got 0"),
        (["reinforce", "--batch", "rollout", "--baseline", "mean"], "expected baseline value"),
        (["reinforce", "--trace-decay", "0.5", "--baseline", "time"], "expected baseline value"),
        (["deep-sarsa", "--nope"], "--nope"),
    ],
)
def test_wrong_flags_are_named(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        train.main([*args, "--out", str(tmp_path / "run")])
    assert caught.value.code == 2
    words = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert message in words
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "notes.txt"):
        line = fails(capsys, lambda out=out: run("deep-sarsa", "--out", out))
        assert "expected a new folder for the run, got one in use" in line
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_resuming_and_evaluating_what_is_not_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    for command in (lambda: resume(folder), lambda: evaluate.main([str(folder)])):
        assert "expected a run's folder with a config.json" in fails(capsys, command)
    run("deep-sarsa", "--total-steps", 300, "--out", folder)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def both(message: str) -> None:
        for command in (
            lambda: resume(folder, "--total-steps", 900),
            lambda: evaluate.main([str(folder), "--episodes", "5"]),
        ):
            assert message in fails(capsys, command)

    assert "total_steps: expected more than the 3" in fails(capsys, lambda: resume(folder))
    line = fails(capsys, lambda: evaluate.main([str(folder), "--checkpoint", "nope"]))
    assert "nope.json: expected a checkpoint (" in line
    line = fails(capsys, lambda: evaluate.main([str(folder), "--seed", "-1"]))
    assert "seed: expected at least 0, got -1" in line

    config = folder / "config.json"
    text = config.read_text()
    config.write_text(text.replace('"discount": 0.', '"discount": 0.0'))
    line = fails(capsys, lambda: resume(folder, "--total-steps", 900))
    assert "expected the configuration of its checkpoint, got a changed config.json" in line
    for wrong in ("{", "[]", text.replace("deep-sarsa", "q-learning"), text.replace("loss", "los")):
        config.write_text(wrong)
        both("config.json: expected")
    config.write_text(text.replace('"hidden_sizes": [\n    7', '"hidden_sizes": [\n    8'))
    line = fails(capsys, lambda: evaluate.main([str(folder), "--episodes", "5"]))
    assert "expected the configuration of its checkpoint, got a changed config.json" in line
    config.write_text(text)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before  # nothing was written

    path = latest_checkpoint(folder)
    tensors = folder / json.loads(path.read_text())["tensors"]
    data = tensors.read_bytes()
    tensors.write_bytes(data[:-9])
    both("it is truncated or was changed")
    tensors.unlink()
    both("No such file or directory")
    for checkpoint in folder.glob("checkpoint-*.json"):
        checkpoint.unlink()
    both("expected a checkpoint-*.json in it, got none")


def test_a_loss_that_is_not_finite_ends_with_a_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sidestep.agents import DeepSarsa

    choose = DeepSarsa.choose

    def poison(agent: DeepSarsa, *args: Any) -> Any:
        if agent.steps > 300:
            agent.network.head.bias.data.fill_(torch.nan)
        return choose(agent, *args)

    monkeypatch.setattr(DeepSarsa, "choose", poison)
    words = ["--total-steps", 2000, "--checkpoint-every", 100, "--out", tmp_path / "r"]
    line = fails(capsys, lambda: run("deep-sarsa", *words))
    last = latest_checkpoint(tmp_path / "r")
    assert "expected a finite loss" in line and f"the last good one is {last.stem}" in line
    weights = load_checkpoint(last)[0]["agent.network.head.bias"]
    assert torch.isfinite(weights).all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_a_checkpoint_and_prints_the_table(
    number: signal.Signals, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    words = ["train", "deep-sarsa", "--total-steps", "100_000_000", "--out", str(folder)]
    command = [sys.executable, "-m", "sidestep.scripts.cli", *words, *SMALL, *BRIEF]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    deadline = time.monotonic() + 120
    while not (folder / "metrics.jsonl").exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number, err
    assert f"Stopped by {number.name}" in out and "mean return" in out and err == ""
    steps = load_checkpoint(latest_checkpoint(folder))[1]["steps"]
    assert steps >= 200
    resume(folder, "--total-steps", steps + 100)
    assert load_checkpoint(latest_checkpoint(folder))[1]["steps"] >= steps + 100
