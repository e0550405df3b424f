"""Several runs beside each other: who is pooled, the table's figures, the band of the curves."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from sidestep.agents import DeepSarsaConfig, EnvConfig, NetworkConfig, ReinforceConfig, RunConfig
from sidestep.agents.settings import TrainingConfig
from sidestep.scripts import evaluate, train
from sidestep.scripts.shared.comparison import comparison_figure, comparison_table, curve_of
from sidestep.scripts.shared.groups import Evaluated, groups_of, notes_on


def points(*values: tuple[int, float]) -> list[dict]:
    return [{"steps": s, "evaluation": {"return_mean": [v, v, v]}} for s, v in values]


def test_curve_is_the_mean_over_runs_where_all_have_got_to():
    logs = [points((10, 1.0), (20, 3.0), (30, 5.0)), points((10, 3.0), (20, 3.0))]
    curve = curve_of(logs, "return_mean")
    assert curve.steps.tolist() == [10, 20]
    assert curve.mean.tolist() == [2.0, 3.0]
    half = 12.70620473617 * np.std([1.0, 3.0], ddof=1) / np.sqrt(2)
    assert (curve.high - curve.mean).tolist() == pytest.approx([half, 0.0])
    assert (curve.mean - curve.low).tolist() == pytest.approx([half, 0.0])


def test_one_run_has_no_band():
    curve = curve_of([points((5, 1.5))], "return_mean")
    assert (curve.low.tolist(), curve.mean.tolist(), curve.high.tolist()) == ([1.5], [1.5], [1.5])


def test_success_that_is_told_only_where_it_happened_counts_as_none_before():
    log = points((10, 1.0), (20, 3.0))
    log[1]["evaluation"]["success"] = [0.5, 0.0, 1.0]
    assert curve_of([log], "success").mean.tolist() == [0.0, 0.5]


def a_run(
    name: str,
    seed: int = 0,
    *,
    env: EnvConfig | None = None,
    success: float = 0.5,
    figures: dict[str, Any] | None = None,
    agent: Any = None,
    **training: Any,
) -> Evaluated:
    config = RunConfig(
        "deep-sarsa",
        env or EnvConfig(),
        agent or DeepSarsaConfig(),
        TrainingConfig(seed=seed, **training),
    )
    numbers = {k: [success] * 3 for k in ("success", "return_mean", "return_iqm", "regret")}
    summary = {**numbers, "length_mean": 8.0, "optimum": 0.75, "steps": 1_000_100}
    return Path(name), config, {**summary, **(figures or {})}


def pooled(*runs: Evaluated) -> list[list[str]]:
    return [[str(folder) for folder, _, _ in group.members] for group in groups_of(list(runs))]


def test_runs_that_differ_in_their_seed_only_are_one_group():
    runs = [a_run("a", 0), a_run("b", 7), a_run("c", 2)]
    assert pooled(*runs) == [["a", "b", "c"]] and notes_on(runs) == []
    assert groups_of(runs)[0].name == "deep-sarsa, MovingObstacles-v0"


def test_keywords_are_the_same_in_any_order():
    kwargs = ("size=6", "step_reward=-0.1"), ("step_reward=-.10", "size=6")
    runs = [a_run(f"{n}", n, env=EnvConfig(kwargs=kwargs[n])) for n in (0, 1)]
    assert pooled(*runs) == [["0", "1"]] and notes_on(runs) == []


def network(**options: Any) -> DeepSarsaConfig:
    return DeepSarsaConfig(network=NetworkConfig(**options))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"total_steps": 30_000, "figures": {"steps": 30_100}},
            "total_steps 1,000,000 in a; total_steps 30,000 in b",
        ),
        ({"num_envs": 65}, "num_envs 64 in a; num_envs 65 in b"),
        ({"stop_at_success": 0.5}, "stop_at_success 0.0 in a; stop_at_success 0.5 in b"),
        (
            {"env": EnvConfig(kwargs=("step_reward=-0.1", "size=6"))},
            "no env kwargs in a; size=6 step_reward=-0.1 in b",
        ),
        (
            {"env": EnvConfig(kwargs=("level=maze.txt",))},
            "no env kwargs in a; level=maze.txt in b",
        ),
        (
            {"env": EnvConfig(max_episode_steps=50)},
            "max_episode_steps None in a; max_episode_steps 50 in b",
        ),
        (
            {"agent": DeepSarsaConfig(learning_rate=1e-3)},
            "learning_rate 0.003 in a; learning_rate 0.001 in b",
        ),
        ({"agent": network(hidden_sizes=(7,))}, "hidden_sizes"),
        ({"figures": {"optimum": 0.5}}, "optimum 0.75 in a; optimum 0.5 in b"),
        ({"figures": {"steps": 9_000}}, "trained to its end in a; steps 9,000 in b"),
        ({"figures": {"steps": 3_000_000}}, "trained to its end in a; steps 3,000,000 in b"),
    ],
)
def test_anything_else_keeps_runs_apart_and_is_said(change: dict[str, Any], words: str):
    runs = [a_run("a", 0), a_run("b", 1, **change)]
    assert pooled(*runs) == [["a"], ["b"]]
    (note,) = notes_on(runs)
    assert note.startswith("Not pooled: deep-sarsa, MovingObstacles-v0: ") and words in note
    names = [group.name for group in groups_of(runs)]
    assert names[0] != names[1]
    assert all(name.startswith("deep-sarsa, MovingObstacles-v0, ") for name in names)
    both = [*runs, a_run("c", 2), a_run("d", 3, **change)]
    assert pooled(*both) == [["a", "c"], ["b", "d"]]


def test_every_difference_is_said():
    runs = [a_run("a", 0), a_run("b", 1, num_envs=3, total_steps=9, figures={"steps": 9})]
    notes = notes_on(runs)
    assert len(notes) == 2 and "num_envs" in notes[1] and "total_steps" in notes[0]
    assert groups_of(runs)[1].name == "deep-sarsa, MovingObstacles-v0, total_steps 9, num_envs 3"


def test_other_learners_memories_and_envs_are_other_kinds_without_a_word():
    other = a_run("c", 0, env=EnvConfig("CartPole-v1"))
    runs = [a_run("a"), a_run("b", agent=network(memory="gru")), other]
    assert pooled(*runs) == [["a"], ["b"], ["c"]] and notes_on(runs) == []


def test_equal_seeds_are_not_independent():
    runs = [a_run("a", 0, success=0.1), a_run("b", 0, success=0.3), a_run("c", 1)]
    assert pooled(*runs) == [["a"], ["b"], ["c"]]
    (note,) = notes_on(runs)
    assert note == (
        "Not pooled: a, b have one seed, 0, and one configuration: they are not independent"
    )
    assert len({group.name for group in groups_of(runs)}) == 3
    other = [a_run("a", 0), a_run("b", 1), a_run("c", 0, num_envs=3), a_run("d", 1, num_envs=3)]
    assert pooled(*other) == [["a", "b"], ["c", "d"]]  # paired seeds of two settings are as usual


def test_runs_may_be_longer_by_an_update_or_shorter_where_they_stop_at_a_success():
    for steps in (1_000_000, 1_000_255):  # 64 lanes, rollouts of 4
        assert len(pooled(a_run("a", 0), a_run("b", 1, figures={"steps": steps}))) == 1
    assert len(pooled(a_run("a", 0), a_run("b", 1, figures={"steps": 1_000_256}))) == 2
    early = [a_run(f"{n}", n, stop_at_success=0.9, figures={"steps": 9_000 + n}) for n in range(3)]
    assert len(pooled(*early)) == 1
    best = [a_run(f"{n}", n, figures={"steps": 900 + n, "checkpoint": "best"}) for n in range(3)]
    assert len(pooled(*best)) == 1
    whole = ReinforceConfig()
    for steps, groups in ((1_006_399, 1), (1_006_400, 2)):  # 64 lanes, episodes of 100 ticks
        late = a_run("b", 1, agent=whole, figures={"steps": steps})
        assert len(pooled(a_run("a", 0, agent=whole), late)) == groups


def text_of(runs: list[Evaluated]) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(comparison_table(runs))
    return console.export_text()


def test_the_row_of_a_group_is_students_t():
    runs = [a_run("a", 0, success=0.16), a_run("b", 1, success=0.15)]
    text = text_of(runs)
    assert "deep-sarsa, MovingObstacles-v0 (2)" in text and "15.5% \u00b1 6.4%" in text
    assert "0.155 \u00b1 0.064" in text and "0.1550 \u00b1 0.0635" in text
    assert "\u00b1" not in text_of([a_run("a", 0), a_run("b", 0)])
    assert "\u00b1" not in text_of([a_run("a", 0), a_run("b", 1, num_envs=3)])


def test_the_figure_has_a_line_for_every_group(tmp_path: Path):
    runs = []
    for name, seed, envs, score in (("a", 0, 8, 0.2), ("b", 1, 8, 0.4), ("c", 0, 9, 0.3)):
        folder = tmp_path / name
        folder.mkdir()
        lines = [{"steps": n, "evaluation": {"return_mean": [n * score] * 3}} for n in (1, 2)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        _, config, summary = a_run(name, seed, num_envs=envs)
        runs.append((folder, config, summary))
    (axes,) = comparison_figure(runs).axes
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text().replace("\n", " ") for text in legend.get_texts()] == [
        "deep-sarsa, MovingObstacles-v0, num_envs 8 (2)",
        "deep-sarsa, MovingObstacles-v0, num_envs 9 (1)",
        "optimum",
    ]
    assert [line.get_ydata() for line in axes.get_lines() if line.get_label() == "optimum"] == [
        [0.75, 0.75]
    ]
    low, high = axes.get_ylim()  # not as far as the band of two runs, which is 12.7 errors wide
    assert 0.1 < low < 0.2 and 0.8 < high < 0.9


def test_a_folder_named_twice_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as error:
        evaluate.main([str(tmp_path), str(tmp_path / "x" / "..")])
    assert error.value.code == 2
    assert "expected each once, got" in capsys.readouterr().err


def test_evaluate_several_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folders = []
    for seed in (0, 1):
        folders.append(str(tmp_path / f"run-{seed}"))
        flags = ["--total-steps", "400", "--num-envs", "16", "--evaluate-every", "200"]
        flags += ["--evaluation-episodes", "8", "--episodes", "8", "--gif-episodes", "0"]
        train.main(["deep-sarsa", *flags, "--seed", str(seed), "--out", folders[-1]])
    figure, out = tmp_path / "curves.png", tmp_path / "figures.json"
    flags = ["--episodes", "12", "--figure", str(figure), "--out", str(out)]
    capsys.readouterr()
    evaluate.main([*folders, *flags])
    assert "(2)" in capsys.readouterr().out
    assert figure.read_bytes()[:4] == b"\x89PNG"
    assert out.read_text().count('"episodes": 12') == 2
    other = tmp_path / "longer"
    shutil.copytree(folders[1], other)
    evaluate.main([*folders, str(other), *flags])
    text = " ".join(capsys.readouterr().out.split())
    assert "(2)" not in text and "(3)" not in text
    assert "have one seed, 1, and one configuration: they are not independent" in text


def test_one_episode_tells_no_spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    flags = ["--total-steps", "400", "--num-envs", "16", "--evaluate-every", "200"]
    flags += ["--evaluation-episodes", "1", "--episodes", "1", "--gif-episodes", "0"]
    train.main(["deep-sarsa", *flags, "--out", str(tmp_path / "run")])
    assert "nan" not in capsys.readouterr().out
    out = tmp_path / "figures.json"
    evaluate.main([str(tmp_path / "run"), "--episodes", "1", "--out", str(out)])
    assert "nan" not in capsys.readouterr().out
    text = out.read_text()
    (record,) = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert record["return_mean"][1:] == record["return_iqm"][1:] == [None, None]
    assert record["regret"][1:] == [None, None] and record["steps"] >= 400


def test_no_run_is_an_error(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as error:
        evaluate.main([])
    assert error.value.code == 2
    assert "expected at least one run's folder, got none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["--out", "nowhere/x.json"], "out: expected a folder that is there, got nowhere"),
        (["--out", "."], "out: expected a file's name, got the folder ."),
        (["--figure", "x.png"], "figure: expected several runs, whose curves it shows, got one"),
        (["again", "--figure", "nowhere/x.png"], "figure: expected a folder that is there"),
    ],
)
def test_files_that_cannot_be_written_are_told_before_the_work(
    flags: list[str], error: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    with pytest.raises(SystemExit) as stop:
        evaluate.main([str(tmp_path / "no-run-is-read"), *flags])
    assert stop.value.code == 2
    assert error in capsys.readouterr().err
