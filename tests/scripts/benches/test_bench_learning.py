"""`sidestep bench learning` on a few steps: its files, its medians, and who got where."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sidestep.scripts import bench
from sidestep.scripts.benches.learning import _median, _rows, _thousands
from sidestep.scripts.benches.learning_curves import (
    TOLERANCE,
    learning_figure,
    record_of,
    slim,
    source_of,
    thinned,
    trials_of,
)
from sidestep.scripts.benches.throughput import rate_rows
from sidestep.scripts.benches.trials import Outcome, Point, Trial


@pytest.mark.slow
def test_a_small_run_leaves_page_record_and_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidestep.scripts.benches.trials.FINAL_EPISODES", 61)
    words = ["learning", "--seeds", "2", "--memories", "rnn", "--no-peers"]
    bench.main([*words, "--total-steps", "23_000", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "results" / "learning.json").read_text())
    assert sorted(record["trials"]) == ["deep-sarsa, rnn", "reinforce, rnn"]
    assert all(len(runs) == record["seeds"] == 2 for runs in record["trials"].values())
    first, second = record["trials"]["deep-sarsa, rnn"]
    assert first["curve"] != second["curve"]  # other seeds
    assert first["steps"] >= 23_000
    success, _, optimum = first["outcomes"][0]
    assert 0 <= success <= 1
    assert optimum == pytest.approx(0.5996, abs=1e-4)
    page = (tmp_path / "results.md").read_text()
    assert "| reinforce, rnn | never | never |" in page
    assert "median over 2\nseeds" in page
    assert (tmp_path / "figures" / "learning.png").stat().st_size > 10_000


def test_the_figure_is_drawn_again_from_its_record(
    tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = request.config.rootpath / "docs"
    (tmp_path / "results").mkdir()
    record = docs / "results" / "learning.json"
    (tmp_path / "results" / "learning.json").write_bytes(record.read_bytes())
    bench.main(["learning", "--redraw", "--out", str(tmp_path)])
    source = source_of(trials_of(json.loads(record.read_text())))
    for folder in (tmp_path, docs):  # what is published shows what is published beside it
        with Image.open(folder / "figures" / "learning.png") as picture:
            assert picture.info["Source"] == source
    with pytest.raises(SystemExit) as stop:
        bench.main(["learning", "--redraw", "--out", str(tmp_path / "none")])
    assert stop.value.code == 2
    assert "learning.json: expected the record of" in capsys.readouterr().err


def test_a_run_that_has_ended_stays_where_it_was() -> None:
    """One that was held up for long ended the figure before it had learned anything."""
    quick = Trial([Point(20, 1.0, 0.5), Point(40, 2.0, 1.0)], 2.0, 40, [])
    held = Trial([Point(20, 38.0, 0.25), Point(40, 40.0, 0.75)], 40.0, 40, [])
    by_time, by_steps = learning_figure({"deep-sarsa, rnn": [quick, held]}, ("deep-sarsa",)).axes
    seconds, mean = by_time.get_lines()[0].get_data()
    assert seconds[-1] == 40.0 and mean[-1] == (1.0 + 0.75) / 2
    thousands, mean = by_steps.get_lines()[0].get_data()
    assert thousands[-1] == 0.04 and mean[-1] == (1.0 + 0.75) / 2


def test_peers_have_a_panel_with_ours_in_grey() -> None:
    ours = Trial([Point(2000, 1.0, 1.0)], 1.0, 2000, [])
    peer = Trial([Point(1000, 5.0, 0.5), Point(3000, 15.0, 0.75)], 15.0, 3000, [])
    trials = {"deep-sarsa, none": [ours], "reinforce, none": [ours], "SB3 PPO, defaults": [peer]}
    figure = learning_figure(trials, ("deep-sarsa", "reinforce"))
    assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == [
        "deep-sarsa",
        "reinforce",
        "Stable-Baselines3",
    ]
    lines = {line.get_label(): line.get_data() for line in figure.axes[5].get_lines()}
    assert list(lines) == ["deep-sarsa", "reinforce", "PPO, defaults"]
    thousands, mean = lines["PPO, defaults"]
    assert thousands[-1] == 3.0 and mean[-1] == 0.75
    assert lines["reinforce"][0][-1] == 3.0 and lines["reinforce"][1][-1] == 1.0


def test_a_curve_keeps_what_the_figure_shows_and_when_a_level_was_reached() -> None:
    heights = [0.1, 0.2, 0.3, 0.9, 0.951, 0.949, 0.95, 0.953, 0.992, 0.996, 0.991, 0.994]
    curve = [Point(20_000 * n, 2.0 * n, height) for n, height in enumerate(heights, 1)]
    kept = thinned(curve)
    assert [p.success for p in kept] == [0.3, 0.9, 0.951, 0.953, 0.992, 0.994]
    whole, less = Trial(curve, 24.0, 240_000, []), Trial(kept, 24.0, 240_000, [])
    for level in (0.95, 0.99):
        assert whole.reached(level) == less.reached(level)
        assert whole.reached_steps(level) == less.reached_steps(level)
    xs, ys = zip(*((p.seconds, p.success) for p in kept), strict=True)
    for point in curve[2:]:
        assert abs(np.interp(point.seconds, xs, ys) - point.success) <= TOLERANCE
    straight = [Point(n, float(n), round(0.9 + 0.01 * n, 2)) for n in range(1, 11)]
    assert [p.success for p in thinned(straight)] == [0.91, 0.95, 0.99, 1.0]  # not from 0 to 1
    slow = [*curve[:1], curve[1]._replace(seconds=30.0), *curve[2:]]  # not on the line over seconds
    assert [p.success for p in thinned(slow)][:3] == [0.1, 0.2, 0.3]
    held = slim(Trial([Point(20_480, 1.23456, 0.5)], 2.0, 20_480, []))
    assert held.curve == [Point(20_000, 1.235, 0.5)]
    assert trials_of({"trials": record_of({"ours": [less, held]})}) == {"ours": [less, held]}
    old = {"curve": [list(p) for p in kept], "seconds": 24.0, "steps": 240_000, "outcomes": []}
    assert trials_of({"trials": {"ours": [old]}}) == {"ours": [less]}


def test_times_and_medians_by_hand() -> None:
    curve = [Point(20, 1.0, 0.4), Point(40, 2.5, 0.96), Point(60, 4.0, 0.93), Point(80, 5.0, 1.0)]
    trial = Trial(curve, 6.0, 90, [Outcome(0.97, 0.25, 0.75)])
    assert [trial.reached(level) for level in (0.95, 0.99, 1.1)] == [2.5, 5.0, None]
    worse = Trial(curve[:1], 3.0, 30, [Outcome(0.5, 0.0, 0.75)])
    assert _median([1.0, None, 3.0]) == "3.00"
    assert _median([1.0, None, None]) == "never"
    _, [row] = _rows({"ours": [trial, worse, trial]})
    assert row == ["ours", "2.50", "5.00", "0 k", "0 k", "15", "50.00%", "0.5000"]
    assert _thousands([40_500, None, 41_000]) == "41 k" and _thousands([None]) == "never"


def test_throughput_is_measured_and_its_ratios_are_by_hand(tmp_path: Path) -> None:
    words = "throughput --memories none --learners deep-sarsa --rounds 3 --steps 4096 --no-peers"
    bench.main([*words.split(), "--out", str(tmp_path)])
    record = json.loads((tmp_path / "results" / "throughput.json").read_text())
    assert len(record["rates"]["deep-sarsa, none"]) == 3
    assert "| deep-sarsa, none |" in (tmp_path / "results.md").read_text()
    rates = {"ours": 600.0, "SB3 PPO, defaults": 12.0, "SB3 PPO, searched": 30.0}
    rates |= {"SB3 A2C, defaults": 60.0, "SB3 RecurrentPPO, defaults": 2.0}
    _, rows = rate_rows(rates)
    assert rows[0] == ["ours", "600", "20.0", "300.0"]
