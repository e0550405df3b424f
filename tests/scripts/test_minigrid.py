"""Minigrid's and popgym's own envs at the command line, as they come, and what becomes of them."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from sidestep.agents import DeepSARSA, load_agent
from sidestep.scripts import evaluate, record, train, watch
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint

FLAGS = "--num-envs 4 --rollout-steps 8 --hidden-sizes 7 --total-steps 400 --episodes 3"
SHORT = [*FLAGS.split(), "--evaluate-every", "200", "--evaluation-episodes", "2"]
UNREAD = "Text in observations is left out: mission (MissionSpace).\n"
DOOR = "MiniGrid-DoorKey-5x5-v0"

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*(pkg_resources|np.find_common_type|deprecated)"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*WARN"),  # Gymnasium of others' envs
]


@pytest.fixture
def minigrid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pytest.importorskip("minigrid")


def told_in_one_line(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture
def popgym() -> None:
    pytest.importorskip("popgym")


@pytest.mark.usefixtures("minigrid")
@pytest.mark.parametrize("vectorization", ["sync", "async"])
@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_minigrids_own_observations_are_learned_from(
    learner: str, vectorization: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, more = tmp_path / "run", ["--modules", "minigrid"]
    how = ["--env", DOOR, "--max-episode-steps", "20", "--vectorization", vectorization, *more]
    train.main([learner, *how, *SHORT, "--gif-episodes", "1", "--out", str(run)])
    told = capsys.readouterr()
    assert told.err.count(UNREAD) == 1 and (run / "greedy.gif").exists()
    train.main(["resume", str(run), "--total-steps", "600", "--episodes", "2", *more])
    assert capsys.readouterr().err.count(UNREAD) == 1
    agent, _ = load_agent(run)
    assert agent.encoder.shape == (7 * 7 * 3 + 4,)
    largest = load_checkpoint(latest_checkpoint(run))[0]["agent.obs_largest"]
    assert agent.encoder.largest.tolist() == largest.tolist()
    kind, colour, state = largest.tolist()
    assert 5 <= kind <= 10 and 1 <= colour <= 5 and 1 <= state <= 2  # doors, keys, closed, locked
    evaluate.main([str(run), "--episodes", "4", *more])
    empty = ["--env", "MiniGrid-Empty-6x6-v0", "--env-kwargs", "max_episode_steps=7", *more]
    evaluate.main([str(run), "--episodes", "4", *empty])
    assert "in MiniGrid-Empty-6x6-v0 max_episode_steps=7" in told_in_one_line(capsys)
    record.main([str(run), "--out", str(tmp_path / "a.gif"), "--size", "320x240", *more])
    watch.main([str(run), "--episodes", "1", "--fps", "1000", *more])
    assert "0 successes in 1 episodes, mean return" in capsys.readouterr().out


@pytest.mark.usefixtures("minigrid")
def test_what_an_agent_is_shown_of_minigrid() -> None:
    import minigrid  # noqa: F401

    with pytest.warns(UserWarning, match=r"left out: mission \(MissionSpace\)"):
        model = DeepSARSA(DOOR, num_envs=2)
    env = gym.make(DOOR)
    obs, _ = env.reset(seed=0)
    batch = {"direction": obs["direction"][None], "image": obs["image"][None]}
    full = np.array([7, 7, 3])  # of kinds up to 5, colours up to 5 and states up to 2
    model.agent.encoder(batch | {"mission": (obs["mission"],)})
    model.agent.encoder.largest[:] = model.agent.encoder.largest.new_tensor([5.0, 5.0, 2.0])
    got = model.agent.encoder(batch | {"mission": ("",)}, count=False)[0].numpy()
    want = (obs["image"] / full).transpose(2, 0, 1).ravel()
    direction = np.eye(4)[obs["direction"]]
    np.testing.assert_allclose(got, [*direction, *want], rtol=1e-6)
    action, _ = model.predict(obs, deterministic=True)
    assert action.shape == () and 0 <= action < 7


@pytest.mark.usefixtures("popgym")
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("RepeatPreviousEasy", 4),
        ("AutoencodeEasy", 6),
        ("ConcentrationEasy", 156),
        ("CountRecallEasy", 4),
        ("HigherLowerEasy", 13),
        ("MultiarmedBanditEasy", 2),
        ("NoisyPositionOnlyCartPoleEasy", 2),
        ("VelocityOnlyCartpoleEasy", 2),
    ],
)
def test_popgyms_envs_are_trained_in_as_they_are(
    name: str, size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, more = tmp_path / "run", ["--modules", "popgym"]
    how = ["--env", f"popgym-{name}-v0", "--memory", "gru", *more]
    train.main(["deep-sarsa", *how, *SHORT, "--gif-episodes", "0", "--out", str(run)])
    evaluate.main([str(run), "--episodes", "3", "--out", str(tmp_path / "e.json"), *more])
    assert "mean return" in capsys.readouterr().out
    (record_of_it,) = json.loads((tmp_path / "e.json").read_text())
    assert record_of_it["episodes"] == 3
    assert load_agent(run)[0].encoder.shape == (size,)


@pytest.mark.usefixtures("popgym")
@pytest.mark.parametrize(
    ("name", "got"),
    [("MineSweeperEasy", r"MultiDiscrete([4 4])"), ("PositionOnlyPendulumEasy", "Box(-2.0, 2.0")],
)
def test_popgyms_envs_of_other_actions_are_refused_in_one_line(
    name: str, got: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[Any] = ["reinforce", "--env", f"popgym-{name}-v0", "--modules", "popgym"]
    with pytest.raises(SystemExit) as stop:
        train.main([*words, "--out", str(tmp_path / "run")])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1
    assert f"action space: expected Discrete counted from 0, got {got}" in error
