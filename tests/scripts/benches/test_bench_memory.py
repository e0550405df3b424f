"""`sidestep bench memory`: rows by hand, and runs that are not trained twice."""

import json
from pathlib import Path

import pytest

from sidestep.agents import EnvConfig
from sidestep.scripts import bench
from sidestep.scripts.benches import memory
from sidestep.scripts.benches.memory import Options, default_settings, rows_of
from sidestep.scripts.benches.trials import Outcome
from sidestep.scripts.shared.tables import markdown_table


def test_rows_are_means_over_seeds() -> None:
    options = Options(worlds=("glimpse",), learners=("reinforce",), memories=("none", "gru"))
    done = {
        "glimpse, reinforce, gru, 0": [Outcome(0.9, 0.25, 0.5)],
        "glimpse, reinforce, gru, 1": [Outcome(0.7, 0.05, 0.5)],
        "moving-obstacles, reinforce, gru, 0": [Outcome(0.1, 0.0, 0.5)],
    }
    done["glimpse, best, none"] = [Outcome(0.875, 0.25, 0.5)]
    done["glimpse, best, perfect"] = [Outcome(1.0, 0.375, 0.5)]
    columns, [row, without, perfect] = rows_of(options, done)
    assert without == ["Glimpse-v0", "best policy found", "none", "-", "87.5%", "-", "0.250"]
    assert perfect == ["Glimpse-v0", "best policy", "perfect", "-", "100.0%", "-", "0.125"]
    assert dict(zip(columns, row, strict=True)) == {
        "world": "Glimpse-v0",
        "learner": "reinforce",
        "memory": "gru",
        "seeds": "2",
        "success": "80.0% ± 127.1%",  # 12.706 x 0.1414 / sqrt(2): two runs tell little
        "worst seed": "70.0%",
        "regret": "0.350 ± 1.271",
    }


def test_the_published_table_is_what_its_record_says() -> None:
    docs = Path(__file__).resolve().parents[3] / "docs"
    record = json.loads((docs / "results" / "memory.json").read_text())
    runs = {key: [Outcome(*row) for row in rows] for key, rows in record["runs"].items()}
    assert markdown_table(*rows_of(Options(), runs)) in (docs / "results.md").read_text()
    one = {key: rows for key, rows in runs.items() if key.endswith("gru, 0")}
    assert "\u00b1" not in markdown_table(*rows_of(Options(), one))  # of one run nothing is known
    assert "nan" not in markdown_table(*rows_of(Options(), one))


def test_the_best_policies_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = {"Glimpse-v0": EnvConfig("sidestep/Glimpse-v0", ("level='S>.\\n.^G'",), 5)}
    monkeypatch.setitem(memory.TESTS, "glimpse", world)
    words = "memory --worlds glimpse --learners reinforce --memories none --seeds 1"
    words = [*words.split(), "--total-steps", "200", "--out", str(tmp_path)]
    bench.main(words)
    runs = json.loads((tmp_path / "results" / "memory.json").read_text())["runs"]
    (without,), (perfect,) = runs["glimpse, best, none"], runs["glimpse, best, perfect"]
    assert without[1] <= perfect[1] + 1e-6 and perfect[1] <= perfect[2] + 1e-6
    assert perfect[2] == pytest.approx(0.8125)  # the optimum that sees everything
    assert (
        "| Glimpse-v0 | best policy | perfect | - | 100.0% | - | 0.000 |"
        in (tmp_path / "results.md").read_text()
    )
    monkeypatch.setattr(memory, "best_memoryless", None)  # not called again
    bench.main(words)


def test_known_runs_are_taken_and_missing_ones_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").mkdir()
    runs = {"glimpse, reinforce, rnn, 0": [[0.25, -0.5, 0.5]]}
    stale = {"glimpse, reinforce, gru, 0": [[0.75, 0.5, 0.5]]}
    settings = default_settings()
    settings["glimpse, reinforce, gru"]["agent"]["discount"] = 0.5
    record = {"total_steps": 300, "settings": settings, "runs": runs | stale}
    (tmp_path / "results" / "memory.json").write_text(json.dumps(record))
    words = "memory --worlds glimpse --learners reinforce --memories rnn --total-steps 300"
    words += " --no-search"
    bench.main([*words.split(), "--seeds", "2", "--out", str(tmp_path)])
    after = json.loads((tmp_path / "results" / "memory.json").read_text())["runs"]
    assert after["glimpse, reinforce, rnn, 0"] == runs["glimpse, reinforce, rnn, 0"]
    assert "glimpse, reinforce, gru, 0" not in after  # it was made with another discount
    success, _, optimum = after["glimpse, reinforce, rnn, 1"][0]
    assert 0 <= success <= 1 and optimum == pytest.approx(0.5996, abs=1e-4)
    assert "| Glimpse-v0 | reinforce | rnn | 2 |" in (tmp_path / "results.md").read_text()
    with pytest.raises(SystemExit):
        bench.main(["memory", "--worlds", "nowhere"])
    assert "worlds: expected some of moving-obstacles, glimpse" in capsys.readouterr().err
