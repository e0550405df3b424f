"""Runs and saves of the first checkpoint format, as it was written then, are still read."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sidestep.agents import DeepSARSA, load_agent
from sidestep.scripts import evaluate, forecast, lm, train
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint

OLD = Path(__file__).parent / "golden" / "first_format"


def copied(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD / name, tmp_path / name))


def test_they_are_of_the_first_format() -> None:
    checkpoints = [path for path in OLD.rglob("*.json") if path.name != "config.json"]
    assert len(checkpoints) == 8
    for path in checkpoints:
        record = json.loads(path.read_text())
        assert record["format"] == 1 and "digest" not in record


@pytest.mark.parametrize("name", ["sarsa", "reinforce"])
def test_old_agents_are_evaluated_and_resumed(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copied(name, tmp_path)
    agent, _ = load_agent(run)
    begun = agent.steps
    evaluate.main([str(run), "--episodes", "3", "--out", str(tmp_path / "out.json")])
    assert json.loads((tmp_path / "out.json").read_text())[0]["episodes"] == 3
    train.main(["resume", str(run), "--total-steps", "2200", "--episodes", "3",
                "--gif-episodes", "0"])  # fmt: skip
    facts = load_checkpoint(latest_checkpoint(run))[1]
    assert facts["steps"] >= 2200 > begun and facts["format"] == 2
    assert load_agent(run)[0].steps == facts["steps"]
    capsys.readouterr()


def test_old_saves_are_loaded(tmp_path: Path) -> None:
    model = DeepSARSA.load(copied("save", tmp_path) / "model")
    assert model.num_timesteps == 102
    with pytest.warns(UserWarning, match="Exploration falls over 200,000 steps"):
        assert model.learn(8).num_timesteps >= 110


def test_old_sequence_models_are_used_and_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, series = copied("lm", tmp_path), copied("forecast", tmp_path)
    lm.main(["sample", str(text), "--length", "20", "--seed", "3"])
    lm.main(["resume", str(text), "--updates", "24", "--file", str(text / "text.txt")])
    forecast.main(["resume", str(series), "--updates", "24"])
    for run in (text, series):
        facts: dict[str, Any] = load_checkpoint(latest_checkpoint(run))[1]
        assert facts["updates"] == 24 and facts["format"] == 2
    capsys.readouterr()
