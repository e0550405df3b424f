"""`sidestep train --config`: preset below file below flags; and the command that repeats a run."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from sidestep.agents import preset
from sidestep.agents.runs import read_config
from sidestep.scripts import cli, train
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint

BRIEF = ["--gif-episodes", "0", "--episodes", "5", "--evaluation-episodes", "5"]
TOML = """\
learner = "reinforce"
env = "CartPole-v1"
num_envs = 3
memory = "gru"
[what-else]
hidden_sizes = [7]
total_steps = 1e2
log_every = 50
final_learning_rate = "None"
"""


def tensors_of(folder: Path) -> dict[str, bytes]:
    tensors, _ = load_checkpoint(latest_checkpoint(folder))
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def fails(capsys: pytest.CaptureFixture[str], *args: Any) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        train.main([str(word) for word in args])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("sidestep train: "), error
    return error


def test_flags_stand_above_the_file_and_the_file_above_the_preset(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.toml", tmp_path / "run"
    file.write_text(TOML)
    words = ["--config", str(file), "--num-envs", "2", "--seed", "5", "--out", str(folder)]
    train.main(["reinforce", *words, *BRIEF])
    run = read_config(folder)
    known, training = preset("reinforce", "CartPole-v1", "gru")  # by what the file says
    assert (run.env.id, run.training.num_envs, run.training.seed) == ("CartPole-v1", 2, 5)
    assert (run.training.total_steps, run.agent.network.hidden_sizes) == (100, (7,))
    assert run.agent.final_learning_rate is None and known.final_learning_rate is not None
    assert run.training.evaluate_every == training.evaluate_every != 100_000
    assert run.agent.network.memory_span == known.network.memory_span == 500
    assert getattr(run.agent, "batch") == "episodes" == getattr(known, "batch")  # noqa: B009


def test_what_stands_in_the_file_needs_to_go_with_the_flags_only(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('env = "CartPole-v1"\nnum_envs = 2\ntotal_steps = 50\nbaseline = "mean"\n')
    words = ["reinforce", "--config", str(file), *BRIEF, "--out", str(tmp_path / "run")]
    train.main([*words, "--batch", "episodes", "--trace-decay", "1"])
    agent = json.loads((tmp_path / "run" / "config.json").read_text())["agent"]
    assert (agent["baseline"], agent["batch"]) == ("mean", "episodes")


def test_wrong_files_end_with_one_line_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "a.toml", ["--out", tmp_path / "run"]

    def line(text: str, learner: str = "deep-sarsa", *more: str) -> str:
        file.write_text(text)
        return fails(capsys, learner, "--config", file, *out, *more)

    assert "a.toml: expected settings of deep-sarsa, got those of 'reinforce'" in line(TOML)
    assert "a.toml: expected TOML" in line("=")
    assert "a.toml: expected settings by their flags' names, got 'sed' (did you" in line("sed = 1")
    assert "a.toml: discount: expected a number in [0, 1], got 2.0" in line("discount = 2.0")
    assert "a.toml: --memory: expected one of none" in line('memory = "grru"')
    assert "train: discount: expected a number in [0, 1], got 3.0" in line(
        "discount = 2.0", "deep-sarsa", "--discount", "3"
    )
    assert "Environment `Nope` doesn't exist" in line('env = "Nope-v0"')
    missing = fails(capsys, "reinforce", "--config", tmp_path / "b.toml", *out)
    assert "config: expected a file that is there, got" in missing
    assert "Missing value" in fails(capsys, "reinforce", *out, "--config")
    (tmp_path / "config.json").write_text('{"kind": "translate"}')
    assert "got one of 'translate'" in fails(capsys, "reinforce", "--config", tmp_path, *out)
    assert {path.name for path in tmp_path.iterdir()} == {"a.toml", "config.json"}


def commands(folder: Path) -> list[list[str]]:
    lines = (folder / "command.txt").read_text().splitlines()
    return [shlex.split(line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_a_run_says_the_command_that_repeats_it(learner: str, tmp_path: Path) -> None:
    folder = tmp_path / "a run"
    words = ["--memory", "gru", "--memory-size", "5", "--hidden-sizes", "7", "--num-envs", "3"]
    words += ["--total-steps", "300", "--evaluate-every", "100", "--seed", "4", *BRIEF]
    words += ["--env-kwargs", "step_reward=-0.1", "hit_ends=True", "--out", str(folder)]
    train.main([learner, *words])
    (command,) = commands(folder)
    assert command[:3] == ["sidestep", "train", learner]
    begun = (folder / "command.txt").read_text().splitlines()[0]
    assert shlex.split(begun.removeprefix("# Begun by: ")) == [
        *("sidestep", "train", learner, *words)
    ]
    cli.main(command[1:])
    again = tmp_path / "a run-again"
    assert (again / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    assert tensors_of(again) == tensors_of(folder)


def test_a_run_that_went_on_for_longer_is_repeated_by_two_commands(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["--total-steps", "200", "--num-envs", "4", "--hidden-sizes", "7", *BRIEF]
    train.main(["deep-sarsa", *words, "--out", str(folder)])
    ended = ["--episodes", "5", "--gif-episodes", "0"]
    train.main(["resume", str(folder), "--total-steps", "400", *ended])
    first, second = commands(folder)
    assert second[:3] == ["sidestep", "train", "resume"]
    cli.main(first[1:])
    cli.main(second[1:])
    again = tmp_path / "run-again"
    assert tensors_of(again) == tensors_of(folder)
    assert load_checkpoint(latest_checkpoint(again))[1]["steps"] >= 400


def test_the_module_of_an_env_is_named_in_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corridors_of_mine.py").write_text(
        "import gymnasium as gym\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gym.register('Corridor-v0', entry_point=CartPoleEnv, max_episode_steps=20)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "run"
    words = ["--env", "corridors_of_mine:Corridor-v0", "--num-envs", "2", "--total-steps", "40"]
    train.main(["deep-sarsa", *words, *BRIEF, "--out", str(folder)])
    (command,) = commands(folder)
    assert command[command.index("--modules") + 1] == "corridors_of_mine"
