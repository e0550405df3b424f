"""The bench of several processes: the arithmetic by hand, and a small measurement."""

import json
from pathlib import Path
from typing import Any

import pytest

from sidestep.scripts.benches import ranks, scaling
from sidestep.scripts.benches.ranks import Cost
from sidestep.scripts.benches.scaling import Part, Rates, gain, page_of_jobs


def test_ratios_are_of_one_round_and_their_median_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = [Rates(100.0, 200.0, 10.0), Rates(50.0, 100.0, 10.0), Rates(100.0, 100.0, 10.0)]
    several = [Rates(190.0, 300.0, 17.0), Rates(100.0, 210.0, 19.0), Rates(150.0, 180.0, 20.0)]
    rates = {"one": one, "several": several}
    assert [gain(rates, "whole", n) for n in range(3)] == [1.9, 2.0, 1.5]
    told = {how: [each._asdict() for each in those] for how, those in rates.items()}
    record = {"env": "E-v0", "steps": 7000, "jobs": 2, "learners": {"deep-sarsa": told}}
    assert "| deep-sarsa | 100 | 150 | 1.90 | 1.80 | 1.90 |" in page_of_jobs(record)


@pytest.mark.slow
def test_jobs_are_measured_and_other_parts_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def other(options: Any) -> dict[str, Any]:
        return {"figure": 0.5}

    part = Part(other, lambda record: f"### Other\n\n{record['figure']}")
    monkeypatch.setitem(scaling.PARTS, "other", part)
    out = ["--out", str(tmp_path)]
    scaling.main(["--parts", "other", *out])
    monkeypatch.setitem(scaling.PARTS, "other", part._replace(measure=None))
    small = ["--parts", "jobs", "--learners", "deep-sarsa", "--steps", "2000", "--rounds", "1"]
    scaling.main([*small, *out])
    record = json.loads((tmp_path / "results" / "scaling.json").read_text())
    assert record["other"] == {"figure": 0.5} and record["jobs"]["steps"] == 2000
    ((name, told),) = record["jobs"]["learners"].items()
    assert name == "deep-sarsa"
    for how in ("one", "several"):
        (rates,) = told[how]
        assert 0 < rates["whole"] < rates["training"]  # which has no start of processes in it
        assert 0 < rates["processor"] < rates["training"]
    page = (tmp_path / "results.md").read_text()
    assert page.index("### Several seeds at once") < page.index("### Other")


def test_the_ratios_of_processes_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    costs = {
        "a, gru: one process": [Cost(100, 1.0, 1.0), Cost(100, 2.0, 1.0), Cost(100, 1.0, 1.0)],
        "a, gru: one, started by torchrun": [Cost(99, 1.0, 1.0)] * 3,
        "a, gru: two processes": [Cost(200, 2.5, 1.2), Cost(200, 5.0, 1.2), Cost(150, 3.0, 1.2)],
    }
    told = {name: [cost._asdict() for cost in each] for name, each in costs.items()}
    page = ranks.page({"lanes": 8, "updates": 3, "costs": told})
    assert "| a, gru | 100 | 0.99 | 0.80 |" in page


@pytest.mark.slow
def test_processes_are_measured() -> None:
    record = ranks.measure(1, 2, lanes=4)
    costs = {name: cost for name, (cost,) in record["costs"].items()}
    assert len(costs) == 6 and all(cost["processor"] > 0 for cost in costs.values())
    for learner, memory in ranks.LEARNERS:
        one, two = (costs[f"{learner}, {memory}: {kind}"] for kind in (ranks.PLAIN, ranks.TWO))
        assert 0 < one["steps"] < two["steps"]


def test_wrong_parts_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (["--parts", "jbos"], "parts: expected some of jobs, ranks, got jbos"),
        (["--parts"], "parts: expected some of jobs, ranks, got none"),
        (["--jobs", "1"], "jobs: expected at least 2, got 1"),
    ):
        with pytest.raises(SystemExit) as caught:
            scaling.main([*words, "--out", str(tmp_path)])
        assert caught.value.code == 2 and message in capsys.readouterr().err
