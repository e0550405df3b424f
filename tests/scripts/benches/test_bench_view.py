"""`sidestep bench view`: a row for every panel, in both worlds, and no time asserted."""

import json
from pathlib import Path

import pytest

from sidestep.scripts.benches import view as bench_view
from sidestep.scripts.viewer.panels.registry import NAMES


@pytest.mark.slow
def test_every_panel_is_measured(tmp_path: Path) -> None:
    words = ["--frames", "10", "--rounds", "1", "--steps", "300000", "--out", str(tmp_path)]
    bench_view.main(words)
    record = json.loads((tmp_path / "results" / "view.json").read_text())
    rows, watched = record["rows"], record["watched"]
    assert all(min(watched[learner][0]) > 0 for learner in bench_view.LEARNERS)
    assert {row["panels"] for row in rows} > {"none", "all", "none, 64 lanes", *NAMES}
    for row in rows:
        for env_id in bench_view.ENVS:
            assert 0 < row[env_id]["median"] <= row[env_id]["p99"]
    page = (tmp_path / "results.md").read_text()
    assert "## A frame of the viewer" in page and "| heatmap |" in page
    assert page.count("| reinforce |") == 1 and "1 of 300,000 steps" in page


def test_what_is_timed_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    draw = bench_view.Screen.draw
    monkeypatch.setattr(
        bench_view.Screen, "draw", lambda self, *a: (drawn.append(self.panels), draw(self, *a))
    )
    bench_view.measure("sidestep/Glimpse-v0", ("attention",), 1, 10)
    assert drawn == [{"attention"}] * (10 + bench_view.WARM_UP)
    assert (bench_view.lanes_in("none, 64 lanes"), bench_view.lanes_in("values")) == (64, 1)


def test_wrong_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench_view.main(["--frames", "9"])
    assert "frames: expected at least 10, got 9" in capsys.readouterr().err
