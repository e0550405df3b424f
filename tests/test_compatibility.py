"""What commit 1dfe272 wrote: its runs, saves and replays still load, play as they did, and go on.

The files in tests/data/1dfe272 were made by its commands, small on purpose:
    sidestep train deep-sarsa --memory gru --memory-size 12 --hidden-sizes 16 --num-envs 32
        --total-steps 600000 --epsilon-steps 60000 --seed 3
    sidestep train reinforce --env CartPole-v1 --hidden-sizes 8 --total-steps 20000
    sidestep lm train fox.txt --hidden-size 16 --embedding-size 0 --rows 4 --steps 16 --updates 200
    sidestep translate train pairs.tsv --hidden-size 16 --embedding-size 12 --updates 400
    DeepSARSA("CartPole-v1", seed=1).learn(3000).save("saved")
and the figures below are what it printed.
"""

import importlib
import json
import shutil
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from sidestep.agents import DeepSARSA
from sidestep.scripts import cli

DATA = Path(__file__).parent / "data" / "1dfe272"


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables on lines that are long enough."""
    from sidestep.scripts.shared.console import console

    monkeypatch.setattr(console, "_width", 200)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    ("run", "figures"),
    [
        ("deep-sarsa", ["100.00%", "0.4765", "0.5996", "0.1231", "0.5130", "0.1326", "10.47"]),
        ("cartpole", ["75.4000", "71.3200", "19.9023", "75.40"]),
    ],
)
def test_evaluate(run: str, figures: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["evaluate", str(DATA / run), "--episodes", "100", "--seed", "1"])
    said = capsys.readouterr().out
    assert [figure for figure in figures if figure not in said] == []


@pytest.mark.parametrize(("run", "steps"), [("deep-sarsa", 600_110), ("cartpole", 20_352)])
def test_resume(run: str, steps: int, tmp_path: Path) -> None:
    folder = tmp_path / run
    shutil.copytree(DATA / run, folder)
    before = (folder / "metrics.jsonl").read_text().splitlines()
    more = ["--episodes", "32", "--gif-episodes", "0"]
    cli.main(["train", "resume", str(folder), "--total-steps", str(steps + 6_000), *more])
    after = (folder / "metrics.jsonl").read_text().splitlines()
    assert after[: len(before) - 1] == before[:-1]
    assert json.loads(after[-1])["steps"] >= steps + 6_000


@pytest.mark.usefixtures("wide")
def test_language_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "lm"
    shutil.copytree(DATA / "lm", folder)
    words = ["--length", "40", "--temperature", "0", "--prompt", "the "]
    cli.main(["lm", "sample", str(folder), *words])
    assert "the  ui  ooo  oe  ui    oooe   u    oooe   u" in capsys.readouterr().out


@pytest.mark.usefixtures("wide")
def test_translator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pairs"
    shutil.copytree(DATA / "pairs", folder)
    sentences = ["the cat sees the book.", "my friend likes an apple."]
    cli.main(["translate", "run", str(folder), *sentences, "--search", "greedy"])
    said = capsys.readouterr().out
    assert "die Katze sieht das Buch." in said and "mein Freund mag einen Apfel." in said
    assert "-0.954" in said and "-0.864" in said


def test_translator_whose_pairs_were_cut_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["evaluate"], ["resume", "--updates", "500"]):
        command = ["translate", words[0], str(DATA / "pairs"), *words[1:]]
        with pytest.raises(SystemExit) as stop:
            cli.main([*command, "--file", str(DATA / "pairs.tsv")])
        assert stop.value.code == 2
        assert "it still translates, but to go on or to measure it" in capsys.readouterr().err


def test_translator_of_a_task_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "reversal"
    shutil.copytree(DATA / "reversal", folder)
    cli.main(["translate", "resume", str(folder), "--updates", "42"])
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["steps"] == 42


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("autoregressive", "WindowModel"),
        ("cells", "gru_step"),
        ("forecasting", "Persistence"),
        ("language", "LanguageModel"),
        ("pairs", "split_words"),
    ],
)
def test_module_names_of_before(before: str, name: str) -> None:
    assert hasattr(importlib.import_module(f"sidestep.sequence.{before}"), name)


@pytest.mark.parametrize("before", ["replay", "session", "view"])
def test_module_names_of_the_viewer_before(before: str) -> None:
    """The same module under both names: its classes are one."""
    importlib.import_module("sidestep.scripts.watching")
    known = importlib.import_module(f"sidestep.scripts.watching.{before}")
    assert known is importlib.import_module(f"sidestep.scripts.viewer.{before}")


def test_saved_agent() -> None:
    model = DeepSARSA.load(DATA / "saved")
    env = gym.make("CartPole-v1")
    obs, _ = env.reset(seed=0)
    state, actions, over = None, list[int](), False
    while not over:
        action, state = model.predict(obs, state, deterministic=True)
        actions.append(int(np.asarray(action)))
        obs, _, terminated, truncated, _ = env.step(actions[-1])
        over = terminated or truncated
    assert actions == [1, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("name", ["replay.json", "replay-crossing.json"])
def test_replay(name: str, tmp_path: Path) -> None:
    film = tmp_path / "film.gif"
    cli.main(["record", str(DATA / name), "--out", str(film)])
    assert film.stat().st_size > 1000
