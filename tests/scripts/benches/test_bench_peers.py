"""`sidestep bench peers`: what is tried, what is chosen, and that peers play the same world."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sidestep.agents import EnvConfig
from sidestep.scripts import bench
from sidestep.scripts.benches import learning, peer_models, peers, throughput, trials
from sidestep.scripts.benches.peer_models import (
    NO_END,
    NUM_ENVS,
    PEERS,
    best_settings,
    contestants,
    make_peer,
    peer_trial,
    told,
)
from sidestep.scripts.benches.peers import Tried, ranked, tried_settings
from sidestep.scripts.benches.trials import ENV, Outcome, Point, Trial

pytest.importorskip("stable_baselines3")
GOOD = {"n_steps": 32, "batch_size": 512, "n_epochs": 4, "learning_rate": 3e-3, "ent_coef": 0.02}
GOOD["gamma"] = 0.95


def test_defaults_and_known_settings_are_tried_first_and_draws_follow_the_seed() -> None:
    found = tried_settings("PPO", 16, 0)
    other = {"n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 1e-3}
    other |= {"ent_coef": 0.01, "gamma": 0.95}
    assert found[:3] == [{}, GOOD, other] and len(found) == 16
    assert tried_settings("PPO", 16, 0) == found != tried_settings("PPO", 16, 1)
    assert len({json.dumps(s) for s in found}) == 16
    for settings in found[3:]:
        assert settings.keys() == PEERS["PPO"].space.keys()
        assert settings["batch_size"] <= settings["n_steps"] * NUM_ENVS
        for key in settings.keys() - {"batch_size"}:
            assert settings[key] in PEERS["PPO"].space[key]
    assert len(tried_settings("DQN", 2, 0)) == 2


def test_the_best_by_hand() -> None:
    def tried(name: str, seed: int, s95: float | None, s99: float | None, success: float) -> Tried:
        return Tried({"name": name}, seed, s95, s99, None, 100, success)

    once = [
        tried("late", 0, 2.0, 9.0, 0.99),
        tried("soon", 0, 3.0, 8.0, 0.99),
        tried("nearly", 0, 4.0, None, 0.98),
        tried("low", 0, None, None, 0.5),
        tried("higher", 0, None, None, 0.6),
    ]
    assert [s["name"] for s in ranked(once)] == ["soon", "late", "nearly", "higher", "low"]
    again = [tried("soon", 1, 3.0, None, 0.9), tried("soon", 2, 3.0, None, 0.9)]
    again += [tried("nearly", 1, 4.0, 7.0, 0.99), tried("nearly", 2, 4.0, 7.5, 0.99)]
    assert [s["name"] for s in ranked([*once, *again])] == ["nearly", "soon"]


def fake(calls: list[Any]) -> Any:
    """A training that gets there at once with a rate of 3e-3 and seed 0, later with other seeds."""

    def trial(
        name: str, settings: Any, env: EnvConfig, seed: int, limit: float, enough: float = 1.0
    ) -> Trial:
        calls.append((name, settings, seed, limit))
        good = settings.get("learning_rate") == 3e-3
        slow = 10.0 * (seed + 1) if settings == GOOD else 15.0
        curve = [Point(20_000, slow, 0.995 if good else 0.5)]
        return Trial(curve, slow, 20_000, [Outcome(0.75, 0.125, 0.5)])

    return trial


def test_a_search_is_written_goes_on_and_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(peers, "peer_trial", fake(calls))
    words = ["peers", "--peers", "PPO", "--trials", "9", "--seconds", "20", "--finalists", "2"]
    assert best_settings(tmp_path, "PPO") == GOOD  # no search was made yet
    bench.main([*words, "--out", str(tmp_path)])
    assert len(calls) == 9 + 2 * 2 and {limit for *_, limit in calls} == {20.0}
    record = json.loads((tmp_path / "results" / "peers.json").read_text())
    found = record["peers"]["PPO"]
    assert record["finished"] and len(found["tried"]) == 13 and "n_steps" in found["space"]
    best = found["best"]
    assert best != GOOD and best["learning_rate"] == 3e-3  # 15 s against 10, 20 and 30
    assert best_settings(tmp_path, "PPO") == best
    page = (tmp_path / "results.md").read_text()
    assert "| PPO, defaults | - | never | never | never | 50.0% | 1 |" in page
    assert f"| PPO, searched | {told(best)} | 15.0 | 15.0 | 20 k | 99.5% | 3 |" in page
    assert "9 settings of each" in page
    bench.main([*words, "--out", str(tmp_path)])
    assert len(calls) == 13  # nothing is trained twice
    bench.main([*words, "--seconds", "30", "--out", str(tmp_path)])
    assert len(calls) == 26


def test_every_peer_stands_there_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_models, "find_spec", lambda package: package == "stable_baselines3")
    monkeypatch.setattr(learning, "peer_trial", fake([]))
    monkeypatch.setattr(trials, "FINAL_EPISODES", 61)
    names = [f"SB3 {name}, {how}" for name in ("PPO", "A2C", "DQN")
             for how in ("defaults", "searched")]  # fmt: skip
    assert list(contestants(tmp_path, memories=True)) == names
    monkeypatch.setattr(peer_models, "find_spec", lambda package: True)
    assert "SB3 RecurrentPPO, searched" in contestants(tmp_path, memories=True)
    assert list(contestants(tmp_path, memories=False)) == names
    words = ["learning", "--seeds", "2", "--memories", "none", "--learners", "deep-sarsa"]
    bench.main([*words, "--total-steps", "1000", "--out", str(tmp_path)])
    page = (tmp_path / "results.md").read_text()
    assert "| SB3 PPO, defaults | never | never | never | never | 1,333 | 75.00% | 0.3750 |" in page
    assert "| SB3 PPO, searched | 15.00 | 15.00 | 20 k | 20 k | 1,500 | 75.00% | 0.3750 |" in page
    assert f"- SB3 PPO, searched: `{told(GOOD)}`" in page and "trained for 60 s" in page
    measures = throughput._measures(throughput.Options(tmp_path, memories=("gru",)))
    assert {*names, "SB3 RecurrentPPO, defaults"} < measures.keys()


def test_no_peer_installed_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peer_models, "find_spec", lambda package: None)
    for words, error in (
        ([], "peers: expected sb3-contrib or stable-baselines3 installed, got neither"),
        (["--peers", "SAC"], "peers: expected some of PPO, A2C, DQN, RecurrentPPO, got 'SAC'"),
        (["--trials", "0"], "trials: expected"),
    ):
        with pytest.raises(SystemExit) as left:
            bench.main(["peers", *words])
        assert left.value.code == 2 and error in capsys.readouterr().err


def test_lanes_of_one_array_play_what_single_envs_play() -> None:
    """Ticks, restarts, last observations and time limits are those of DummyVecEnv."""
    from stable_baselines3.common.env_util import make_vec_env

    from sidestep.scripts.benches.peer_env import NativeVecEnv

    theirs, ours = make_vec_env(ENV, 3, seed=5), NativeVecEnv(ENV, 3, 5)
    assert (theirs.reset() == ours.reset()).all()
    actions, ended, late = np.random.default_rng(0), 0, 0
    for tick in range(400):
        action = actions.integers(0, 4, 3) if tick < 250 else np.zeros(3, dtype=np.int64)
        expected, got = theirs.step(action), ours.step(action)
        for one, other in zip(expected[:3], got[:3], strict=True):
            np.testing.assert_allclose(one, other)
        for lane in np.flatnonzero(expected[2]):
            first, second = expected[3][lane], got[3][lane]
            assert first["TimeLimit.truncated"] == second["TimeLimit.truncated"]
            assert (first["terminal_observation"] == second["terminal_observation"]).all()
            ended, late = ended + 1, late + second["TimeLimit.truncated"]
        assert all(not got[3][lane] for lane in np.flatnonzero(~got[2]))
    assert ended > 10 and late > 2
    with pytest.raises(NotImplementedError):
        ours.set_attr("a", 1)
    ours.close()


def test_a_peer_is_trained_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_models, "EPISODES", 11)
    monkeypatch.setattr(peer_models, "FINAL_EPISODES", 22)
    settings = {"n_steps": 8, "batch_size": 64}
    trial = peer_trial("PPO", settings, EnvConfig(ENV), 0, enough=0.0, every=64)
    assert [p.steps for p in trial.curve] == [64] and trial.steps == 64 and not trial.outcomes
    trial = peer_trial("PPO", settings, EnvConfig(ENV), 0, limit=0.0)  # its time is up at once
    assert trial.steps == 16 == trial.curve[0].steps
    (outcome,) = trial.outcomes
    assert 0 <= outcome.success <= 1 and outcome.optimum == pytest.approx(0.5996, abs=1e-4)
    assert outcome.mean_return < outcome.optimum


def test_exploration_of_dqn_lasts_as_long_whatever_is_learned_for() -> None:
    model = make_peer("DQN", {"exploration_steps": 20_000, "buffer_size": 100}, ENV, 0)
    assert model.exploration_schedule(1.0) == 1.0
    assert model.exploration_schedule(1 - 10_000 / NO_END) == pytest.approx(
        (1 + 0.05) / 2, abs=1e-3
    )
    assert model.exploration_schedule(1 - 20_001 / NO_END) == 0.05
    model.get_env().close()
