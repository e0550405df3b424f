"""Sequence models' checkpoints: every tensor and entry is checked before anything changes."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sidestep.scripts import evaluate, forecast, lm, record, train, watch
from sidestep.scripts.sequences.forecast_task import ForecastConfig, ForecastTask
from sidestep.scripts.sequences.lm_task import LanguageTask, configs_of, read_text
from sidestep.scripts.sequences.series import read_series
from sidestep.scripts.sequences.translate_task import run_of
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from sidestep.sequence.fitting.fitted import facts_of, read_run, resumption
from sidestep.sequence.fitting.fitter import Fitter

OLD = Path(__file__).parents[1] / "golden" / "first_format"


def fitter_of(name: str) -> tuple[Fitter, dict[str, Tensor], dict[str, Any]]:
    """A fresh fitter for an old run, and what it could go on from."""
    folder = OLD / name
    read = read_run(folder, name)
    config, tensors, facts = resumption(folder, read, 30)
    if name == "lm":
        _, model, stream = configs_of(folder, read)
        task: Any = LanguageTask(read_text(folder / "text.txt"), model, stream, config)
    else:
        models = ForecastConfig(**read["forecast"])
        task = ForecastTask(read_series(None, None), models, config)
    return Fitter(task, config, None, facts_of(read)), tensors, facts


def bits(fitter: Fitter) -> dict[str, bytes]:
    return {k: v.numpy().tobytes() for k, v in fitter.state_dict().items()}


@pytest.mark.parametrize("name", ["lm", "forecast"])
def test_every_tensor_is_checked_before_anything_changes(name: str) -> None:
    fitter, tensors, facts = fitter_of(name)
    before = bits(fitter)
    assert {"optimizer.exp_avg", "random.cpu"} <= tensors.keys()
    cases: list[tuple[str, dict[str, Tensor]]] = [
        ("one too many", {**tensors, "extra": torch.zeros(1)}),
        ("no generator", {**tensors, "random.cpu": torch.zeros(5, dtype=torch.uint8)}),
    ]
    for key, tensor in tensors.items():
        rest = {k: v for k, v in tensors.items() if k != key}
        cases += [
            (f"{key} gone", rest),
            (f"{key} emptied", {**rest, key: torch.empty(0, 2, dtype=tensor.dtype)}),
            (f"{key} of another type", {**rest, key: tensor.to(torch.float16)}),
        ]
        if tensor.dtype == torch.int64:
            cases.append((f"{key} beyond", {**rest, key: tensor - 2**40}))
    for what, damaged in cases:
        with pytest.raises(ValueError, match=r"checkpoint"):
            fitter.load_state_dict(damaged, facts)
            pytest.fail(what)
        assert bits(fitter) == before, what
    for key in ("updates", "seconds", "best", "window", "next", "log_position"):
        with pytest.raises(ValueError, match=r"checkpoint: .*expected"):
            fitter.load_state_dict(tensors, {**facts, key: "x"})
    assert bits(fitter) == before
    fitter.load_state_dict(tensors, facts)
    assert bits(fitter) == {k: v.numpy().tobytes() for k, v in tensors.items()}


def fails(capsys: pytest.CaptureFixture[str], command: Callable[[list[str]], Any], *w: Any) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        command([str(word) for word in w])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1, error
    return error


def test_one_command_s_run_given_to_another_is_called_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("lm", "forecast"):
        run = OLD / name
        for command, words in (
            (evaluate.main, [run]),
            (watch.main, [run]),
            (record.main, [run, "--out", tmp_path / "x.gif"]),
            (train.main, ["resume", run]),
        ):
            message = f"expected a run of `sidestep train`, got one of '{name}'"
            assert message in fails(capsys, command, *words)
    for command, words, kind in (
        (lm.main, ["sample", OLD / "sarsa"], "lm"),
        (lm.main, ["resume", OLD / "sarsa"], "lm"),
        (forecast.main, ["resume", OLD / "sarsa"], "forecast"),
        (forecast.main, ["resume", OLD / "lm"], "forecast"),
    ):
        assert f"expected a run of `sidestep {kind}`, got one of" in fails(capsys, command, *words)
    assert not [path for path in OLD.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize(("name", "size"), [("hidden_size", 2**20), ("num_layers", 1000)])
def test_sizes_that_no_file_holds_take_no_memory(
    tmp_path: Path, name: str, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even where config.json and digests are made to agree."""
    folder = Path(shutil.copytree(OLD / "lm", tmp_path / "lm"))
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["model"][name] = size
    path.write_text(json.dumps(config))
    assert "got a changed config.json" in fails(capsys, lm.main, "sample", folder)
    run = facts_of({k: v for k, v in config.items() if k != "kind"})
    for checkpoint in (folder / "best.json", latest_checkpoint(folder)):
        tensors, facts = load_checkpoint(checkpoint)
        own = {k: v for k, v in facts.items() if k in ("updates", "seconds", "best", "window",
                                                       "log_position", "next")}  # fmt: skip
        save_checkpoint(folder, checkpoint.stem, tensors, {**own, **run})
    assert "checkpoint" in fails(capsys, lm.main, "sample", folder)
    words = ["resume", folder, "--updates", 30, "--file", folder / "text.txt"]
    assert "checkpoint" in fails(capsys, lm.main, *words)


@pytest.mark.parametrize("name", ["lm", "forecast"])
def test_what_a_config_names_is_not_read_where_it_never_ends(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(OLD / name, tmp_path / name))
    path = folder / "config.json"
    config = json.loads(path.read_text())
    os.mkfifo(tmp_path / "pipe")
    for there in ("/dev/zero", str(tmp_path / "pipe")):
        config["text" if name == "lm" else "series"]["path"] = there
        path.write_text(json.dumps(config))
        run = facts_of({k: v for k, v in config.items() if k != "kind"})
        last = latest_checkpoint(folder)
        tensors, facts = load_checkpoint(last)
        own = ("format", "tensors", "bytes", "sha256", "digest")
        facts = {k: v for k, v in facts.items() if k not in own}
        save_checkpoint(folder, last.stem, tensors, {**facts, **run})
        command = lm.main if name == "lm" else forecast.main
        line = fails(capsys, command, "resume", folder, "--updates", 30)
        assert f"{there}: expected a regular file, got a folder, pipe or device" in line


@pytest.mark.parametrize(
    ("name", "units"),
    [("nowhere", ["task", "task"]), ("\x1b[31m", ["task", "word"]), ("dates", ["task"]),
     ("dates", ["task", "line"]), ("file", ["word", "task"]), ("file", [])],
)  # fmt: skip
def test_units_that_there_are_not_are_refused(name: str, units: list[str]) -> None:
    record = {"file": None, "name": name, "units": units, "data": {}, "model": {}}
    symbols = {"source_symbols": ["a"], "target_symbols": ["b"]}
    with pytest.raises(ValueError, match="expected two units of "):
        run_of(Path("run"), {**record, **symbols})
    run = run_of(Path("run"), {**record, **symbols, "name": "dates", "units": ["task", "task"]})
    assert run.languages.units == ("task", "task")
