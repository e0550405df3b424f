"""A run notes the modules that register what it is made of; commands import them again."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidestep.agents import load_agent
from sidestep.agents.algorithms.registry import LEARNERS
from sidestep.scripts import evaluate, lm, record, train
from sidestep.scripts.shared import modules
from sidestep.scripts.viewer.live import window_command
from sidestep.scripts.viewer.race import rival_of, world_of

from .commands import SHORT

END = ["--episodes", "5", "--gif-episodes", "0"]


@pytest.fixture
def run(as_fresh: Any, tmp_path: Path) -> Path:
    """Of a learner that `pieces` registers."""
    modules.NAMED.clear()
    folder = tmp_path / "run"
    as_fresh(train.main, ["tiny", *SHORT, "--modules", "pieces", "--out", str(folder)])
    return folder


def edit(run: Path, **entries: Any) -> None:
    """Change entries of config.json, or take away those that are None."""
    path = run / "config.json"
    settings = {**json.loads(path.read_text()), **entries}
    path.write_text(json.dumps({k: v for k, v in settings.items() if v is not None}))


def error_of(call: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that is refused."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        call()
    assert caught.value.code == 2
    (line,) = " ".join(capsys.readouterr().err.split("\n")).splitlines()
    return " ".join(line.split())


def test_a_run_notes_them_and_every_command_imports_them(
    as_fresh: Any, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert json.loads((run / "config.json").read_text())["modules"] == ["pieces"]
    name, picture = str(run), str(tmp_path / "x.png")
    as_fresh(evaluate.main, [name, "--episodes", "5"])
    as_fresh(record.main, [name, "--out", picture])
    as_fresh(record.main, [name, "--optimum", "--out", picture])
    as_fresh(train.main, ["resume", name, "--total-steps", "800", *END])
    (tmp_path / "added.py").write_text("told = True")
    monkeypatch.syspath_prepend(tmp_path)
    as_fresh(evaluate.main, [name, "--episodes", "5", "--modules", "added"])
    assert sys.modules.pop("added").told and "tiny" not in LEARNERS


def test_a_race_against_it(as_fresh: Any, run: Path) -> None:
    config = as_fresh(lambda words: world_of(words[0]), [str(run)])
    rival = as_fresh(lambda words: rival_of(words[0], config), [str(run)])
    assert rival.policy.agent.name == "tiny"
    rival.close()


def test_a_window_beside_training_that_goes_on_imports_them(as_fresh: Any, run: Path) -> None:
    modules.NAMED.clear()
    seen = []

    def resume(words: list[str]) -> None:
        train.main(words)
        seen.extend(window_command(run, run)[-2:])

    as_fresh(resume, ["resume", str(run), "--total-steps", "800", *END])
    assert seen == [str(run), "pieces"]


def test_without_any_nothing_is_noted(as_fresh: Any, tmp_path: Path) -> None:
    modules.NAMED.clear()
    as_fresh(train.main, ["deep-sarsa", *SHORT, "--out", str(tmp_path / "plain")])
    assert "modules" not in json.loads((tmp_path / "plain" / "config.json").read_text())


def test_an_older_run_has_them_named(
    as_fresh: Any, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(run, modules=None)
    words = [str(run), "--episodes", "5"]
    line = error_of(lambda: as_fresh(evaluate.main, words), capsys)
    assert "expected one of the learners deep-sarsa, reinforce, got 'tiny'; of one that" in line
    as_fresh(evaluate.main, [*words, "--modules", "pieces"])


def test_one_that_is_gone_is_told(
    as_fresh: Any, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(run, modules=["gone"])
    resume = ["resume", str(run), "--total-steps", "800", *END]
    line = error_of(lambda: as_fresh(train.main, resume), capsys)
    assert f"{run}/config.json: modules: expected one to import, got 'gone' (No module" in line
    assert line.endswith("if it has another name now, change it there")
    edit(run, modules=["pieces"])  # by its new name: it is the same run
    as_fresh(train.main, resume)


@pytest.mark.parametrize(
    "names",
    ["pieces", ["../pieces"], [".pieces"], [""], ["pieces "], [3], {"pieces": 1}, ["os:system"]],
)
def test_other_than_names_are_refused(
    as_fresh: Any, run: Path, names: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(run, modules=names)
    line = error_of(lambda: as_fresh(evaluate.main, [str(run), "--episodes", "5"]), capsys)
    kinds = "modules: expected list[str], got"
    is_list = isinstance(names, list) and isinstance(names[0], str)
    assert f"config.json: {'expected names of modules, got' if is_list else kinds}" in line


def test_a_library_imports_nothing_that_it_reads(
    as_fresh: Any, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "noted.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    edit(run, modules=["noted", "pieces"])

    def load(words: list[str]) -> Any:
        return load_agent(run)

    with pytest.raises(ValueError, match="got 'tiny'; of one that another module registers"):
        as_fresh(load, [])
    assert "noted" not in sys.modules


def test_a_language_model(
    as_fresh: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    modules.NAMED.clear()
    text, run = tmp_path / "fox.txt", tmp_path / "run"
    text.write_text("the quick brown fox jumps over the lazy dog. " * 20)
    words = ["train", str(text), "--modules", "pieces", "--cell", "minimal", "--out", str(run)]
    sizes = ["--hidden-size", "5", "--rows", "2", "--steps", "7", "--updates", "2"]
    as_fresh(lm.main, [*words, *sizes])
    assert json.loads((run / "config.json").read_text())["modules"] == ["pieces"]
    as_fresh(lm.main, ["sample", str(run), "--length", "3"])
    as_fresh(lm.main, ["resume", str(run), "--updates", "4"])
    edit(run, modules=["gone"])
    line = error_of(lambda: as_fresh(lm.main, ["sample", str(run)]), capsys)
    assert "expected one to import, got 'gone'" in line
