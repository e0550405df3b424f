"""`sidestep bench memory`: rows by hand, and runs that are not trained twice."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sidestep.agents import EnvConfig
from sidestep.scripts import bench
from sidestep.scripts.benches import memory, peer_models
from sidestep.scripts.benches.memory import TESTS, Options, default_settings, rows_of
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    words += " --no-search --no-peers"
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


def test_recurrent_ppo_stands_beside_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sb3_contrib")
    monkeypatch.setattr(peer_models, "EPISODES", 7)
    monkeypatch.setattr(peer_models, "FINAL_EPISODES", 14)
    monkeypatch.setattr(peer_models, "optimum_of", lambda env: None)
    world = TESTS["crossing"]["Crossing-v0, training levels"]
    settings = {"n_steps": 4, "batch_size": 32, "n_epochs": 1}
    job = memory.Job("crossing", *memory.PEER, 1, 128, settings)
    key, outcomes = memory._measure(job)
    assert key == "crossing, RecurrentPPO, lstm, 1" and len(outcomes) == 2
    assert all(0 <= o.success <= 1 and o.mean_return < 1 for o in outcomes)
    assert world.id == "sidestep/Crossing-v0"


def test_its_runs_are_kept_for_as_long_as_its_settings_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "there", lambda: ["RecurrentPPO"])
    options = Options(tmp_path, worlds=("glimpse",), memories=("none", "gru"), peer_seeds=2)
    peer = memory._peer(options)
    assert peer["steps"] == 300_000 and peer["settings"]["n_steps"] == 64
    mine = [job for job in memory._jobs(options) if job.learner == "RecurrentPPO"]
    assert [job.key for job in mine] == [f"glimpse, RecurrentPPO, lstm, {n}" for n in range(2)]
    assert {job.total_steps for job in mine} == {300_000}
    assert memory._peer(replace(options, memories=("none",))) == {}
    assert memory._peer(replace(options, peers=False)) == {}
    done = {job.key: [Outcome(0.5, 0.25, 0.5)] for job in mine}
    memory._write(options, done)
    assert memory._known(options) == done
    assert memory._known(replace(options, peer_steps=5)) == {}
    page = (tmp_path / "results.md").read_text()
    assert "| Glimpse-v0 | RecurrentPPO | lstm | 2 | 50.0%" in page
    assert "16 envs, 300,000 steps and the best settings" in page
