"""`sidestep bench ablations`: each variant is the preset but for its fields; rows by hand."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from sidestep.agents.algorithms.registry import preset
from sidestep.scripts.benches import ablations
from sidestep.scripts.benches.ablations import VARIANTS, config_of, rows_of
from sidestep.scripts.benches.trials import ENV


@pytest.mark.parametrize("learner", VARIANTS)
def test_every_variant_changes_what_it_says_and_nothing_else(learner: str) -> None:
    known = asdict(preset(learner, ENV)[0])
    seen = []
    for name, fields in VARIANTS[learner].items():
        config = config_of(learner, name, 3, None)
        values = asdict(config.agent)
        changed = {key: values[key] for key in values if values[key] != known[key]}
        assert changed == {key: value for key, value in fields.items() if value != known[key]}
        assert bool(changed) == (name != "the preset"), name
        assert changed not in seen and config.training.seed == 3
        seen.append(changed)


@pytest.mark.slow
def test_runs_are_made_once_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: VARIANTS["deep-sarsa"][name] for name in ("the preset", "lambda 0")}
    monkeypatch.setitem(VARIANTS, "deep-sarsa", few)
    words = ["--learners", "deep-sarsa", "--seeds", "2", "--total-steps", "600"]
    ablations.main([*words, "--out", str(tmp_path)])
    runs = json.loads((tmp_path / "results" / "ablations.json").read_text())["runs"]
    assert len(runs) == 4
    assert "| deep-sarsa | lambda 0 | " in (tmp_path / "results.md").read_text()
    monkeypatch.setattr(ablations, "measured", lambda *_: pytest.fail("trained again"))
    ablations.main([*words, "--out", str(tmp_path)])
    capsys.readouterr()


def test_rows_are_medians_and_worst_seeds() -> None:
    found = {
        f"reinforce; the preset; {seed}": {
            "optimum": 0.6, "greedy": greedy, "seconds": 2.0, "success": greedy,
            "length": 8.0 + seed,
        }
        for seed, greedy in enumerate((0.5, 0.25, 0.575))
    }  # fmt: skip
    assert rows_of(found) == [["reinforce", "the preset", "2", "0.100", "0.350", "25.0%", "9.00"]]
