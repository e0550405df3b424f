"""`--modules`: a run's `module:id` is imported where it is named, and never otherwise."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from sidestep.scripts import evaluate, play, record, train
from sidestep.scripts.shared import modules

MODULE = """
import gymnasium as gym
from sidestep.envs import MovingObstaclesEnv
gym.register("Flagged-v0", MovingObstaclesEnv, max_episode_steps=20)
"""


def test_every_command_that_reads_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(modules, "NAMED", [])  # what a later window would import
    (tmp_path / "flagged_envs.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    run = tmp_path / "run"
    end = ["--episodes", "2", "--gif-episodes", "0"]
    train.main(["deep-sarsa", "--env", "flagged_envs:Flagged-v0", "--total-steps", "200",
                "--num-envs", "2", "--evaluate-every", "0", "--out", str(run), *end])  # fmt: skip
    commands: dict[str, tuple[Callable[[list[str]], Any], list[str]]] = {
        "evaluate": (evaluate.main, [str(run), "--episodes", "2"]),
        "record": (record.main, [str(run), "--out", str(tmp_path / "x.png")]),
        "optimum": (record.main, [str(run), "--optimum", "--out", str(tmp_path / "y.png")]),
        "resume": (train.main, ["resume", str(run), "--total-steps", "300", *end]),
    }
    for command, words in commands.values():
        sys.modules.pop("flagged_envs", None)
        gym.registry.pop("Flagged-v0", None)
        with pytest.raises(SystemExit) as caught:
            command(words)
        assert caught.value.code == 2 and "flagged_envs" not in sys.modules
        error = capsys.readouterr().err
        assert "expected an env in a module that is imported or named" in error
        assert "--modules flagged_envs" in error
        with pytest.raises(SystemExit):
            command([*words, "--modules", "another_module"])
        assert "flagged_envs" not in sys.modules and "another_module" not in sys.modules
        command([*words, "--modules", "flagged_envs"])
        assert "flagged_envs" in sys.modules
    capsys.readouterr()
    with pytest.raises(SystemExit):
        play.main(["--modules", "flagged_envs"])
    assert "modules: expected" in capsys.readouterr().err
