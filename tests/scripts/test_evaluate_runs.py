"""Several runs beside each other: the figures of the table and the band of the curves."""

from pathlib import Path

import numpy as np
import pytest

from sidestep.scripts import evaluate, train
from sidestep.scripts.comparison import curve_of


def points(*values: tuple[int, float]) -> list[dict]:
    return [{"steps": s, "evaluation": {"return_mean": [v, v, v]}} for s, v in values]


def test_curve_is_the_mean_over_runs_where_all_have_got_to():
    logs = [points((10, 1.0), (20, 3.0), (30, 5.0)), points((10, 3.0), (20, 3.0))]
    curve = curve_of(logs, "return_mean")
    assert curve.steps.tolist() == [10, 20]
    assert curve.mean.tolist() == [2.0, 3.0]
    half = 1.96 * np.std([1.0, 3.0], ddof=1) / np.sqrt(2)
    assert (curve.high - curve.mean).tolist() == pytest.approx([half, 0.0])
    assert (curve.mean - curve.low).tolist() == pytest.approx([half, 0.0])


def test_one_run_has_no_band():
    curve = curve_of([points((5, 1.5))], "return_mean")
    assert (curve.low.tolist(), curve.mean.tolist(), curve.high.tolist()) == ([1.5], [1.5], [1.5])


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


def test_no_run_is_an_error(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as error:
        evaluate.main([])
    assert error.value.code == 2
    assert "expected at least one run's folder, got none" in capsys.readouterr().err
