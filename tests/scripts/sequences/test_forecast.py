"""`sidestep forecast` from the command line: what it leaves, no leak, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sidestep.scripts import forecast
from sidestep.scripts.sequences.fitting_run import fitting_curve
from sidestep.scripts.sequences.forecast_figures import forecast_figure
from sidestep.scripts.sequences.forecast_task import ForecastConfig, ForecastTask, Split, measure
from sidestep.scripts.sequences.series import Series, read_series
from sidestep.scripts.shared.curves import save_figure
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint
from sidestep.sequence.fitting.fitter import FittingConfig
from sidestep.sequence.fitting.log import read_log

SMALL = ["--hidden-size", "5", "--length", "13", "--rows", "3", "--horizon", "4", "--window", "3",
         "--validate-every", "3", "--log-every", "2", "--checkpoint-every", "2"]  # fmt: skip


def wave(size: int = 83) -> np.ndarray:
    random = np.random.default_rng(0)
    return 5 + 2 * np.sin(np.arange(size) / 2.3) + random.normal(0, 0.1, size)


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.csv"
    rows = [f"2001-{k:03d},{x:.3f},{2 * x:.3f}" for k, x in enumerate(wave())]
    path.write_text("date,open,close\n" + "\n".join(rows) + "\n\n")
    return path


def run(*args: Any) -> None:
    forecast.main([str(arg) for arg in args])


def fails(capsys: pytest.CaptureFixture[str], *args: Any) -> str:
    """The one line that a wrong call ends with."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        run(*args)
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1, error
    return error


def test_a_run_leaves_its_folder(
    prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    run(prices, "--column", "close", "--out", folder, "--updates", 7, *SMALL)
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("Column 'date' is not read as time: the rows are taken in the order")
    for words in ("persistence", "AR(3)", "latent GRU", "in 90 %", "last 20 of 83 values"):
        assert words in printed
    names = {p.name for p in folder.iterdir() if p.suffix != ".safetensors"}
    assert {"config.json", "metrics.jsonl", "curve.png", "forecast.png", "forecast.json"} <= names
    report = json.loads((folder / "forecast.json").read_text())
    rows = report["test"]
    assert rows["AR(3)"]["skill"] > 0.5  # a noisy sine is nearly linear in its past
    assert rows["persistence"]["skill"] == 0 and len(rows["AR(3)"]["rmse_ahead"]) == 4
    values = read_series(prices, "close").values
    assert report["beyond"]["persistence"]["mean"] == pytest.approx([values[-1]] * 4)
    assert rows["persistence"]["rmse"] == pytest.approx(
        float(np.sqrt(np.mean(np.diff(values[-21:]) ** 2)))
    )
    steps = [r["steps"] for r in read_log(folder) if "validation" in r]
    assert steps == [3, 6, 7] and report["updates"] in steps
    assert "got one in use" in fails(capsys, prices, "--column", "close", "--out", folder, *SMALL)


def test_resuming_equals_never_having_stopped(
    prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = [prices, "--column", "open", "--updates", 9, *SMALL]
    run(*options, "--out", whole)
    go = forecast.Fitter.run
    monkeypatch.setattr(forecast.Fitter, "run", lambda f, r: go(f, lambda p: r(p) and p.steps < 5))
    run(*options, "--out", parts)
    monkeypatch.undo()
    run("resume", parts)
    tensors = [load_checkpoint(latest_checkpoint(folder))[0] for folder in (whole, parts)]
    assert tensors[0]["module.head.weight"].abs().sum() > 0
    assert {k: v.numpy().tobytes() for k, v in tensors[0].items()} == {
        k: v.numpy().tobytes() for k, v in tensors[1].items()
    }
    assert (whole / "forecast.json").read_text() == (parts / "forecast.json").read_text()
    moved = prices.rename(tmp_path / "moved.csv")
    assert "say where it is now with --file" in fails(capsys, "resume", parts, "--updates", 11)
    moved.write_text(moved.read_text().replace("5.", "6.", 1))
    line = fails(capsys, "resume", parts, "--updates", 11, "--file", moved)
    assert "expected the 83 values" in line


def test_no_statistics_of_what_comes_later_enter() -> None:
    config = ForecastConfig(window=3, hidden_size=5, horizon=4)
    values = wave()
    split = Split(values, config)
    assert (split.training, split.validation) == (47, 63)
    other = values.copy()
    other[47:] *= 1000.0
    assert Split(other, config).scaling == split.scaling
    assert np.array_equal(Split(other, config).scaled[:47], split.scaled[:47])
    assert split.scaled[:47].mean() == pytest.approx(0, abs=1e-12)
    labels = tuple(map(str, range(83)))
    tasks = [ForecastTask(Series("x", x, labels), config, FittingConfig()) for x in (values, other)]
    assert np.array_equal(tasks[0].window.weights, tasks[1].window.weights)
    assert tasks[0].persistence.deviation == tasks[1].persistence.deviation
    losses = [[float(task.loss(k).total.detach()) for k in range(3)] for task in tasks]
    assert losses[0] == losses[1]


def test_validation_is_of_its_part_alone() -> None:
    config = ForecastConfig(window=3, hidden_size=5, horizon=4)
    values, figures = wave(), []
    for begin, end in ((0, 0), (47, 63), (63, 83)):
        other = values.copy()
        other[begin:end] += 1.0
        labels = tuple(map(str, range(83)))
        task = ForecastTask(Series("x", other, labels), config, FittingConfig())
        with torch.no_grad():
            figures.append(task.validate()["loss"])
    assert figures[0] == figures[2] != figures[1]


def test_measured_errors_are_of_the_test_part() -> None:
    config = ForecastConfig(window=3, hidden_size=5, horizon=4)
    values = wave()
    values[63:] = 7.0  # all of the test part, whose first value alone is a surprise
    task = ForecastTask(Series("x", values, tuple(map(str, range(83)))), config, FittingConfig())
    row = measure(task)["persistence"]
    assert row["rmse"] == pytest.approx(abs(values[62] - 7) / np.sqrt(20))
    assert row["mae"] == pytest.approx(abs(values[62] - 7) / 20)
    assert row["covered"] == pytest.approx(1.0)


def test_the_sunspots() -> None:
    series = read_series(None)
    assert series.name == "sunspots" and len(series.values) == 309
    assert series.times()[[0, -1]].tolist() == [1700, 2008]
    assert series.values[[0, 1, -1]].tolist() == [5.0, 11.0, 2.9]
    assert series.values.max() == 190.2  # 1957


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", [], "expected a header with column names, got an empty file"),
        ("\n\n", [], "expected a header with column names, got an empty file"),
        ("1,2\n3,4\n", [], "expected column names in row 1, got numbers"),
        ("t,x\n", [], "expected rows below the header, got none"),
        ("t,x\n1,2\n2,\n3,4\n", [], "row 3, column 'x': expected a number, got a gap"),
        ("t,x\n1,2\n2\n3,4\n", [], "row 3, column 'x': expected a number, got a gap"),
        ("t,x\n1,2\n\n3,4\n", [], "row 3, column 'x': expected a number, got a gap"),
        ("t,x\n1,2\n2,n/a\n", [], "row 3, column 'x': expected a number, got 'n/a'"),
        ("t,x\n1,2\n2,inf\n", [], "row 3, column 'x': expected a number, got 'inf'"),
        ("t,x\n1,nan\n", [], "row 2, column 'x': expected a number, got 'nan'"),
        ('t,x\n1,"1,234"\n', [], "row 2, column 'x': expected a number, got '1,234'"),
        ('t,x\n1,"2\n', [], "expected CSV"),
        ("t,x,y\n1,2,3\n", [], "expected --column, one of t, x, y, got none"),
        ("t,x\n1,2\n", ["--column", "z"], "expected a column of t, x, got 'z'"),
        ("x,x\n1,2\n", ["--column", "x"], "expected a column of x, x, got it twice"),
        (
            "t,x\n3,2\n2,3\n1,5\n",
            [],
            "expected the oldest row first, got column 't' falling from 3",
        ),
        ("t,x\n2001-02-01,2\n2001-01-31,3\n", [], "falling from 2001-02-01 to 2001-01-31"),
        ("t,x\n1/15/2002,2\n12/31/2001,3\n", [], "falling from 1/15/2002 to 12/31/2001"),
        ("x\n" + "3\n" * 99, [], "expected a series that changes, got 3 throughout"),
        ("x\n1\n2\n3\n", [], "horizon: expected at most the test part's 0 values, got 11"),
        (
            "x\n" + "1\n2\n" * 40,
            ["--window", "22"],
            "at most 21 for 44 values to learn from, got 22",
        ),
        ("x\n" + "1\n2\n" * 40, ["--window", "0"], "window: expected at least 1, got 0"),
        ("x\n1\n2\n", ["--test-share", "1.5"], "test_share: expected a number in (0, 1), got 1.5"),
        ("x\n1\n2\n", ["--test-share", "0.9"], "expected validation_share + test_share below 1"),
    ],
)
def test_wrong_input_ends_with_one_line_and_leaves_nothing(
    text: str, options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    line = fails(capsys, path, "--out", tmp_path / "run", *options)
    assert line.startswith("sidestep forecast: ") and message in line
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize("data", [b"\xff\xfe\x00x", b"x\n1\n\x00\n"])
def test_a_binary_file(data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    assert "got a binary file" in fails(capsys, path)
    assert "No such file" in fails(capsys, tmp_path / "none.csv")


def test_labels_and_times(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\ufeffday , price\n5,1.5\n7,-2e3\n8,3\n", encoding="utf-8")
    series = read_series(path, "price")
    assert series.values.tolist() == [1.5, -2000, 3] and series.times().tolist() == [5, 7, 8]
    path.write_text("day,price\nmon,1\ntue,2\n")
    assert read_series(path).labels == ("mon", "tue")
    assert read_series(path).times().tolist() == [0, 1]


def test_rows_in_the_order_of_time_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for days, name in (
        ("1/31/2001 2/1/2001", "day"),  # days that rise are drawn as days
        ("31.01.2001 01.02.2001", "day"),
        ("2001-01-01 2001-01-01", "row"),
        ("b a", "row"),
    ):
        path.write_text(
            "day,x\n" + "\n".join(f"{day},{2 - k}" for k, day in enumerate(days.split()))
        )
        assert read_series(path).values.tolist() == [2, 1]
        assert read_series(path).time_name() == name
    path.write_text("x\n2\n1\n")  # a value that falls is no time
    assert read_series(path).time_name() == "row"
    path.write_text("year,x\n0,2\n1,1\n")
    assert read_series(path).time_name() == "year"


def test_names_with_dollars_are_drawn_as_they_are(tmp_path: Path) -> None:
    config = ForecastConfig(window=3, hidden_size=5, horizon=4)
    series = Series(r"p $\nope$", wave(), tuple(map(str, range(83))))
    task = ForecastTask(series, config, FittingConfig())
    figure = forecast_figure(task, measure(task), r"p $\nope$ and $")
    save_figure(figure, tmp_path / "forecast.png")  # no formula, which would be a wrong one
    save_figure(fitting_curve([], r"p $\nope$", "nats"), tmp_path / "curve.png")
