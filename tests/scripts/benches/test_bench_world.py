"""The bench runs and writes what the page needs; its figures are for people, not for tests."""

import json
import shutil
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from sidestep.envs.observations.table import OBSERVATIONS
from sidestep.scripts.benches import world
from sidestep.scripts.benches.limits import COPY, PlainC
from sidestep.scripts.benches.world import CROSSING, LANES, TARGETS, main, summary


def test_quick_run_writes_json_and_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "startup", lambda repeats: {"import gymnasium": repeats / 4})
    main(["--quick", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "results" / "world.json").read_text())
    assert record["command"] == "sidestep bench world --quick"
    assert record["environment"]["versions"]["numba"]
    assert record["rounds"] == 3
    settings = ["single", *(f"vector {lanes}" for lanes in LANES)]
    assert list(record["rates"]) == settings
    for setting in settings:
        rates = record["rates"][setting]
        assert {*OBSERVATIONS, CROSSING} < set(rates)
        assert (COPY in rates) is (setting != "single")
        assert all(len(values) == 3 and min(values) > 0 for values in rates.values())
    assert set(TARGETS) == set(settings)
    assert all(set(aims) <= set(OBSERVATIONS) for aims in TARGETS.values())
    for row in record["rows"]:
        assert row["low"] <= row["ratio"] <= row["high"]
    assert record["start"] == {"import gymnasium": 0.25}
    page = (tmp_path / "results.md").read_text()
    assert page.count("<!-- begin world -->") == page.count("<!-- end world -->") == 1
    assert "ours, features" in page and "ours, sidestep/Crossing-v0" in page
    assert page.count("| single | planes | 1.25 |") == 1 and "| import gymnasium | 0.25 |" in page


@pytest.mark.slow
def test_new_processes_tell_their_seconds() -> None:
    seconds = world.startup(1)
    assert set(seconds) == {
        "import gymnasium",
        "import sidestep.envs",
        "first tick, compiling",
        "first tick, from the cache",
        "first update of train deep-sarsa, compiling",
        "first update of train deep-sarsa, from the cache",
        "first update of train reinforce, from the cache",
    }
    assert min(seconds.values()) > 0


def test_ratios_are_taken_within_a_round() -> None:
    rows = summary("single", {"peer": [1.0, 10.0, 4.0], "ours": [2.0, 30.0, 4.0]})
    assert [row["ratio"] for row in rows] == [1.0, 2.0]
    assert (rows[1]["low"], rows[1]["high"], rows[1]["rate"]) == (1.0, 3.0, 4.0)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_plain_c_plays_what_the_world_plays() -> None:
    plain_c, env = PlainC(67), gym.make_vec("sidestep/MovingObstacles-v0", 67)
    plain_c.reset(5)
    assert env.reset(seed=5)[0].tobytes() == plain_c.obs.tobytes()
    ended = 0
    for actions in np.random.default_rng(1).integers(0, 5, (300, 67)):
        obs, reward, terminated, truncated, _ = env.step(actions)
        plain_c.step(actions)
        for ours, plain in (
            (obs, plain_c.obs),
            (reward, plain_c.reward),
            (terminated, plain_c.terminated),
            (truncated, plain_c.truncated),
        ):
            assert ours.tobytes() == plain.tobytes()
        ended += int(terminated.sum())
    assert ended > 67


@pytest.mark.parametrize("args", [["--rounds", "0"], ["--seconds", "-1"], ["--round", "3", "x"]])
def test_wrong_flags(args: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*args, "--out", str(tmp_path)])
    assert caught.value.code == 2
    assert capsys.readouterr().err
    assert not list(tmp_path.iterdir())
