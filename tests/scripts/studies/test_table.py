"""`sidestep table`: runs found in folders, what is shown of them, and the CSV file by hand."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from rich.console import Console

from sidestep.agents import (
    DeepSarsaConfig,
    EnvConfig,
    NetworkConfig,
    RunConfig,
    TrainingConfig,
    preset,
)
from sidestep.scripts import table
from sidestep.scripts.shared.finals import read_final, record_of, write_final
from sidestep.scripts.shared.groups import Evaluated, settings_that_differ
from sidestep.scripts.studies import tables
from sidestep.scripts.studies.curve import points_of, seeds_figure
from sidestep.scripts.studies.found import found_run, run_folders
from sidestep.scripts.studies.tables import runs_tables, seeds_table, settings_table

NAN = math.nan


def figures(success: float, mean: float, **others: Any) -> dict[str, Any]:
    """The summary of an evaluation."""
    told = {"success": success, "return_mean": mean, "return_iqm": mean, "regret": 0.75 - mean}
    intervals = {name: [value, value - 0.125, value + 0.125] for name, value in told.items()}
    rest = {"length_mean": 8.0, "timeouts": 0.0, "return_std": 0.25, "optimum": 0.75}
    return {"episodes": 500, **intervals, **rest, **others}


def a_run(
    folder: Path,
    seed: int = 0,
    *,
    log: list[tuple[int, float]] | None = None,
    final: dict[str, Any] | None = None,
    steps: int = 1_000_100,
    memory: str = "none",
    env: EnvConfig | None = None,
    **training: Any,
) -> Path:
    """A run's folder, with evaluations at steps, and maybe its end."""
    agent = DeepSarsaConfig(network=NetworkConfig(memory=memory))
    config = RunConfig(
        "deep-sarsa", env or EnvConfig(), agent, TrainingConfig(seed=seed, **training)
    )
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config.to_json())
    with (folder / "metrics.jsonl").open("w") as file:
        for at, mean in log or []:
            file.write(json.dumps({"steps": at, "evaluation": figures(0.5, mean)}) + "\n")
            file.write(json.dumps({"steps": at + 10, "return": mean, "success": 0.25}) + "\n")
    if final is not None:
        write_final(folder, record_of(final, 7, steps, config.env))
    return folder


def test_runs_are_found_however_deep_in_the_order_of_numbers(tmp_path: Path) -> None:
    for name in ("a/seed-10", "a/seed-2", "a", "b/c/d"):
        a_run(tmp_path / name) if name != "a" else (tmp_path / "a").mkdir(exist_ok=True)
    (tmp_path / "a" / "config.json").write_text('{"kind": "lm"}')
    (tmp_path / "e").mkdir()
    (tmp_path / "b" / "again").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in run_folders(tmp_path)]
    assert found == ["a", "a/seed-2", "a/seed-10", "b/c/d"]


def test_figures_are_of_the_end_or_of_the_last_evaluation(tmp_path: Path) -> None:
    final = figures(0.75, 0.5, return_std=0.125)
    ended = a_run(tmp_path / "ended", log=[(100, 0.25)], final=final)
    _, config, summary = found_run(ended)
    assert config.training.seed == 0
    circumstances = {"seed": 7, "greedy": True, "checkpoint": "last", "steps": 1_000_100}
    assert {k: v for k, v in summary.items() if k != "env"} == {**circumstances, **final}
    on = a_run(tmp_path / "on", log=[(100, 0.25), (200, 0.375)])
    _, _, summary = found_run(on)
    assert summary == {"steps": 210, "final": False, "evaluated": 200, **figures(0.5, 0.375)}
    begun = a_run(tmp_path / "begun")
    assert found_run(begun)[2] == {"steps": 0, "final": False}


def test_what_was_final_once_is_not_after_a_run_has_gone_on(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", log=[(100, 0.25)], final=figures(0.75, 0.5), steps=110)
    assert found_run(run)[2]["return_mean"][0] == 0.5
    (run / "checkpoint-000000000200.json").write_text("{}")
    summary = found_run(run)[2]
    assert (summary["steps"], summary["evaluated"]) == (200, 100)
    assert summary["return_mean"][0] == 0.25


def test_a_record_of_an_end_is_read_as_it_was_written_or_refused(tmp_path: Path) -> None:
    summary = {**figures(0.5, 0.25), "return_mean": [0.25, NAN, NAN]}
    record = record_of(summary, 3, 99, EnvConfig("CartPole-v1", ("a=1",)))
    write_final(tmp_path, record)
    told = read_final(tmp_path)
    assert told is not None
    assert json.dumps(told) == json.dumps({**record, "env": told["env"]})
    assert EnvConfig(**{**told["env"], "kwargs": tuple(told["env"]["kwargs"])}).in_words() == (
        "CartPole-v1 a=1"
    )
    text = (tmp_path / "final.json").read_text()
    for old, new, words in (
        ('"steps": 99', '"steps": "x"', "steps: expected int, got 'x'"),
        ('"steps": 99', '"stepss": 99', "expected an entry 'steps', got none"),
        ("null,\n  null", "null", "return_mean: expected [value, low, high]"),
        ("null,\n  null", "[],\n  null", "return_mean: expected a list of numbers, got [0.25, []"),
        ('"optimum": 0.75', '"optimum": [true]', "optimum: expected a number, got True"),
    ):
        assert old in text
        (tmp_path / "final.json").write_text(text.replace(old, new))
        with pytest.raises(ValueError) as caught:
            read_final(tmp_path)
        assert words in str(caught.value)


def shown(*tables: Any, width: int = 140) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    for one in tables:
        console.print(one)
    return console.export_text()


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(("│", "┃"))]
    return [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
            for line in lines]  # fmt: skip


def test_one_table_of_two_learners_has_every_setting_in_which_they_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The presets' own settings, a column a run; what a learner does not have is a dash."""
    runs: list[Evaluated] = []
    for learner in ("deep-sarsa", "reinforce"):
        for name in ("textbook", "default"):
            agent, training = preset(learner, "sidestep/MovingObstacles-v0", name=name)
            config = RunConfig(learner, EnvConfig(), agent, training)
            runs.append((Path(f"{learner}-{name}"), config, {"steps": 9, "final": False}))
    runs[0] = (*runs[0][:2], {"steps": 200_000, **figures(0.5, 0.25)})
    shown = settings_table(runs)
    columns = [[str(cell) for cell in column.cells] for column in shown.columns]
    rows = {cells[0]: list(cells[1:]) for cells in zip(*columns, strict=True)}
    assert shown.columns[1].header.plain == "deep-sarsa-textbook"  # type: ignore[union-attr]
    assert rows["max gradient norm"] == ["1e+09", "1", "1e+09", "0.5"]
    assert next(iter(rows.items())) == ("learner", ["deep-sarsa"] * 2 + ["reinforce"] * 2)
    assert rows["num envs"] == ["1", "64", "1", "16"]
    assert rows["target"] == ["sarsa", "expected", "-", "-"]
    assert rows["loss"] == ["squared", "huber", "-", "-"]
    assert rows["baseline"] == ["-", "-", "none", "value"]
    assert rows["trace decay"] == ["0", "0.8", "1", "1"] and "memory" not in rows
    assert rows["steps"] == ["200,000", "9 of 2,000,000", "9 of 200,000", "9 of 3,000,000"]
    assert rows["success"] == ["50.00%", "-", "-", "-"] and "discount" in rows and "seed" in rows
    for name in ("a", "b"):
        a_run(tmp_path / name, total_steps=5 if name == "a" else 7, final=figures(0.5, 0.25))
    table.main([str(tmp_path), "--settings"])
    told = capsys.readouterr().out
    assert "2 runs, sidestep/MovingObstacles-v0: settings that differ, and figures" in " ".join(
        told.split()
    )
    assert "total steps" in told and told.count("50.00%") == 2


def test_a_table_a_kind_a_row_a_run_and_two_a_group(tmp_path: Path) -> None:
    for seed, mean in ((0, 0.25), (1, 0.5)):
        a_run(tmp_path / f"{seed}", seed, final=figures(mean, mean))
    a_run(tmp_path / "wide", 0, num_envs=128, log=[(2000, 0.125)])
    a_run(tmp_path / "gru", 0, memory="gru", final=figures(1.0, 0.5))
    runs = [found_run(folder) for folder in run_folders(tmp_path)]
    text = shown(*runs_tables(runs), width=400).replace(f"{tmp_path}/", "")
    assert text.split("┏")[0].strip() == "deep-sarsa, MovingObstacles-v0: 3 runs"
    half = 12.70620473617 * 0.125  # Student's t of two values, 0.25 apart
    assert rows(text) == [
        ["run", "seed", "steps", "num envs", "success", "return", "regret", "length"],
        ["0", "0", "1,000,100", "64", "25.00%", "0.250", "0.5000", "8.00"],
        ["1", "1", "1,000,100", "64", "50.00%", "0.500", "0.2500", "8.00"],
        ["mean of 2", "", "", "", "37.50%", "0.375", "0.3750", "8.00"],
        ["±, 95 %", "", "", "", f"{half:.2%}", f"{half:.3f}", f"{half:.4f}", "0.00"],
        ["wide", "0", "2,010 of 1,000,000", "128", "50.00%", "0.125", "0.6250", "8.00"],
        ["run", "seed", "steps", "success", "return", "regret", "length"],
        ["gru", "0", "1,000,100", "100.00%", "0.500", "0.2500", "8.00"],
    ]


def test_few_settings_have_columns_and_the_others_are_told(tmp_path: Path) -> None:
    changed = {"num_envs": 5, "log_every": 7, "threads": 2, "evaluate_every": 3}
    a_run(tmp_path / "a")
    a_run(tmp_path / "b", keep_checkpoints=9, **changed)
    (only,) = runs_tables([found_run(folder) for folder in run_folders(tmp_path)])
    text = " ".join(shown(only).split())
    assert "they also differ in threads" in text
    assert "num envs" in text and "log every" in text and "keep checkpoints" in text


def test_settings_that_only_one_learner_has_do_not_differ() -> None:
    def one(config: RunConfig) -> Evaluated:
        return Path("x"), config, {}

    from sidestep.agents import ReinforceConfig

    sarsa = RunConfig("deep-sarsa", EnvConfig(), DeepSarsaConfig(discount=0.5), TrainingConfig())
    other = RunConfig(
        "reinforce",
        EnvConfig("CartPole-v1"),
        ReinforceConfig(discount=0.5),
        TrainingConfig(seed=4, num_envs=3),
    )
    found = settings_that_differ([one(sarsa), one(other)])
    assert found["training.num_envs"] == [64, 3]
    assert not {"training.seed", "learner", "env.id", "agent.discount"} & found.keys()
    assert not {"agent.epsilon_end", "agent.entropy_end"} & found.keys()


def test_the_csv_has_a_line_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kwargs = EnvConfig(kwargs=("step_reward=-0.1",))
    a_run(tmp_path / "runs" / "a, b", 3, final=figures(0.25, 0.5, optimum=0.5))
    a_run(tmp_path / "runs" / "c", 4, env=kwargs, log=[(100, 0.125)])
    a_run(tmp_path / "runs" / "d", 5)
    out = tmp_path / "all.csv"
    table.main([str(tmp_path / "runs"), "--out", str(out)])
    assert f"Table: {out}" in capsys.readouterr().out
    head, first, second, third = csv.reader(out.read_text().splitlines())
    lines = [dict(zip(head, line, strict=True)) for line in (first, second, third)]
    assert head[:9] == [
        *("run", "learner", "env", "seed", "steps", "final", "evaluated", "group", "env.kwargs")
    ]
    assert lines[0]["run"] == str(tmp_path / "runs" / "a, b")
    numbers = ("seed", "steps", "final", "evaluated", "success", "success_low", "success_high")
    assert [lines[0][n] for n in numbers] == [
        *("3", "1000100", "yes", "1000100", "0.25", "0.125", "0.375")
    ]
    assert [lines[1][n] for n in numbers] == ["4", "110", "no", "100", "0.5", "0.375", "0.625"]
    assert [lines[2][n] for n in numbers] == ["5", "0", "no", "", "", "", ""]
    assert [line["env.kwargs"] for line in lines] == ["[]", '["step_reward=-0.1"]', "[]"]
    assert [line["optimum"] for line in lines] == ["0.5", "0.75", ""]
    assert [line["return"] for line in lines] == ["0.5", "0.125", ""]
    assert "hits" not in head and len({line["group"] for line in lines}) == 3


def test_shares_over_seeds_are_none_to_all() -> None:
    ends = {
        number: tables._over(lambda _, n=number: n, "success", np.zeros(2)) for number in (-1, 2)
    }
    assert ends == {-1: "0.00%", 2: "100.00%"}


def test_the_table_of_seeds_has_intervals_over_them_and_the_worst(tmp_path: Path) -> None:
    means = [0.5, 0.25, 0.0, 0.75]
    for seed, mean in enumerate(means):
        a_run(tmp_path / f"seed-{seed}", seed, final=figures(1.0 - 0.001 * seed, mean))
    runs = [found_run(folder) for folder in run_folders(tmp_path)]
    told = rows(shown(seeds_table(runs, 5)))
    assert told[0] == ["seed", "success", "return", "regret", "length"]
    assert [row[2] for row in told[1:5]] == ["0.500", "0.250", "0.000", "0.750"]
    half = 3.182446305284263 * 0.3227486121839514 / 2  # t of 3, s of the means, root of 4
    assert told[5] == ["mean", "99.85%", "0.375", "0.3750", "8.00"]
    assert [row[2] for row in told[6:8]] == [f"{0.375 - half:.3f}", f"{0.375 + half:.3f}"]
    assert float(told[7][1].strip("%")) <= 100
    assert told[8][:3] == ["interquartile mean", "99.85%", "0.375"]
    assert told[11] == ["worst return: seed 2", "99.80%", "0.000", "0.7500", "8.00"]
    title = " ".join(shown(seeds_table(runs, 5)).split("┏")[0].split())
    assert "4 of 5 seeds, greedy, 500 fresh episodes each; optimum 0.7500" in title
    few = rows(shown(seeds_table(runs[:3], 3)))
    assert [row[0] for row in few[4:]] == [
        *("mean", "95 % interval from", "to", "worst return: seed 2")
    ]
    assert len(rows(shown(seeds_table(runs[:1], 1)))) == 2


def test_the_curve_is_of_evaluations_or_else_of_training(tmp_path: Path) -> None:
    for seed in (0, 1):
        log = [(100, 0.25 + seed), (200, 0.5)]
        a_run(tmp_path / f"{seed}", seed, log=log, final=figures(1.0, 0.5))
    runs = [found_run(folder) for folder in run_folders(tmp_path)]
    returns, successes = seeds_figure(runs).axes
    mean = returns.get_lines()[0]
    assert mean.get_xdata().tolist() == [100, 200] and mean.get_ydata().tolist() == [0.75, 0.5]
    labels = [text.get_text() for text in returns.get_legend().get_texts()]
    assert labels == ["mean of 2 seeds, 95 % band", "each seed", "optimum"]
    assert returns.get_ylabel() == "return of a greedy episode"
    assert successes.get_ylim() == (-0.03, 1.03)
    logs = [[{"steps": 110, "return": 0.25, "success": 0.5}, {"steps": 120, "lr": 1}], []]
    points, whose = points_of(logs)
    assert whose == "an exploring"
    assert points == [[{"steps": 110, "evaluation": {"return_mean": [0.25], "success": [0.5]}}]]
    assert points_of([[], []])[0] == []


def test_of_a_single_evaluation_every_seed_and_the_band_are_seen(tmp_path: Path) -> None:
    for seed, value in enumerate((0.25, 0.5)):
        a_run(tmp_path / f"{seed}", seed, log=[(100, value)], final=figures(1.0, value))
    returns, _ = seeds_figure([found_run(folder) for folder in run_folders(tmp_path)]).axes
    (bar,) = (c for c in returns.collections if isinstance(c, LineCollection))
    low, high = bar.get_segments()[0][:, 1]
    assert low == pytest.approx(0.375 - 12.706 * 0.125, abs=1e-3)  # Student's t, one degree
    assert low + high == pytest.approx(0.75)
    assert [line.get_marker() for line in returns.get_lines()[1:3]] == ["_", "_"]


def test_what_is_no_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def line(*args: Any) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            table.main([str(arg) for arg in args])
        assert caught.value.code == 2
        return capsys.readouterr().err

    assert "runs: expected at least one folder, got none" in line()
    assert "nope: expected a folder with runs, got none" in line(tmp_path / "nope")
    assert "expected runs of `sidestep train` in " in line(tmp_path)
    assert "out: expected a folder that is there" in line(tmp_path, "--out", tmp_path / "a" / "b")
    for name, text in (("bad", "{"), ("lm", '{"kind": "lm"}'), ("strange", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
    a_run(tmp_path / "strange" / "x", env=EnvConfig("strangers_own_module:X-v0"))
    a_run(tmp_path / "good", 8, log=[(100, 0.25)])
    capsys.readouterr()
    table.main([str(tmp_path), str(tmp_path / "good")])
    told = capsys.readouterr()
    errors = told.err.splitlines()
    assert [error.startswith("left out: ") for error in errors] == [True] * 3
    assert "bad/config.json: expected JSON" in errors[0]
    assert "`--modules strangers_own_module`" in errors[2]
    assert "MovingObstacles-v0: 1 run" in told.out
