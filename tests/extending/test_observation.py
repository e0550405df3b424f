"""An observation from outside is one like the shipped ones, everywhere."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from sidestep.envs import (
    Observation,
    Shown,
    WorldConfig,
    best_memoryless,
    check_vector_env,
    register_observation,
)
from sidestep.envs.drawing.sight import Sight
from sidestep.envs.observations.features import features, features_space
from sidestep.envs.observations.table import OBSERVATIONS
from sidestep.scripts import evaluate, train

from .commands import SHORT, as_an_older, refused, succeeds

ENV = "sidestep/MovingObstacles-v0"


def radar_of(scene: Any) -> list[float]:
    """The numbers that the radar of `pieces` must show, from a picture's facts."""
    x, y = scene.agent
    goal = scene.level.goal
    offsets = [(ox - x, oy - y) for ox, oy, _, _ in scene.obstacles]
    near = min(offsets, key=lambda offset: abs(offset[0]) + abs(offset[1]))
    return [goal.x - x, goal.y - y, *near, scene.phase]


def test_numbers_in_one_lane_and_in_many(pieces: Any) -> None:
    single: Any = gym.make(ENV, observation="radar")
    native: Any = gym.make_vec(ENV, 3, observation="radar", autoreset_mode="SameStep")
    rows, _ = native.reset(seed=7)
    obs, _ = single.reset(seed=7)
    assert obs.dtype == np.float32 and obs.tolist() == rows[0].tolist()
    ended = False
    for tick in range(12):
        for lane in range(3):
            assert rows[lane].tolist() == radar_of(native.unwrapped.scene(lane))
        rows, *_ = native.step(np.array([2, 1, tick % 5]))
        if not ended:
            obs, _, ended, _, _ = single.step(2)
            if not ended:
                assert obs.tolist() == rows[0].tolist()
    assert rows.base is None or rows.flags.writeable


def test_the_checker_finds_no_fault(pieces: Any) -> None:
    hiding: dict[str, Any] = {"hide": ["phase"], "visible_every": 3}
    for keywords in ({}, hiding):
        env = gym.make_vec(ENV, 3, observation="radar", **keywords)
        check_vector_env(env, partial(gym.make, ENV, observation="radar", **keywords))


def test_what_it_hides_is_hidden(pieces: Any) -> None:
    env: Any = gym.make(ENV, observation="radar", hide=["phase"], visible_every=2)
    shown = [env.reset(seed=s)[0] for s in range(8)]
    assert {row[4] for row in shown} == {0} and any(row[2:4].any() for row in shown)
    assert not env.step(4)[0][2:4].any()


def test_it_is_markov_where_it_proves_it(pieces: Any) -> None:
    assert not WorldConfig(observation="radar").is_markov
    proven = pieces.RADAR._replace(proof=lambda levels, view, hit_ends: view.period == 1)
    register_observation("proven", proven)
    assert not WorldConfig(observation="proven").is_markov
    assert WorldConfig(observation="proven", obstacle_period=1).is_markov


def test_pictures_show_what_it_tells(pieces: Any) -> None:
    sight = Sight.of(WorldConfig(observation="radar", radius=3))
    assert (sight.headings, sight.phase, sight.radius, sight.is_whole) == (False, True, 3, False)
    blind = pieces.RADAR._replace(shows=Shown(obstacles=False))
    register_observation("blind", blind)
    env: Any = gym.make(ENV, observation="blind")
    env.reset(seed=0)
    sight = Sight.of(env.unwrapped.config)
    assert not sight.is_whole and not sight.shows(env.unwrapped.scene(), 0)


def test_the_solver_knows_what_can_be_had_with_it(pieces: Any) -> None:
    """The obstacle is out of the way; who is shown the goal alone sees one thing in each cell."""
    blind = Observation(
        lambda levels, view: spaces.Box(-9, 9, (2,), np.int16),
        function=lambda lanes: lanes.goal - lanes.agent,
    )
    register_observation("blind", blind)
    found = {
        name: best_memoryless(
            WorldConfig(observation=name, level="S.G\n.v.\n...", random_starts=False),
            max_ticks=12,
        )
        for name in ("blind", "radar")
    }
    assert [one.mean_return for one in found.values()] == pytest.approx([0.9, 0.9])
    assert found["blind"].shown.shape == (9, 2)
    assert found["radar"].shown.shape[1] == 5 and len(found["radar"].shown) > 9
    assert found["blind"].probabilities_of(np.array([[2, 0]])).argmax() == 2  # right


def test_kernels_are_as_good_as_a_function(tables: None) -> None:
    register_observation("mine", Observation(features_space, plain=features))
    first: Any = gym.make_vec(ENV, 5, observation="mine")
    second: Any = gym.make_vec(ENV, 5)
    assert np.array_equal(first.reset(seed=3)[0], second.reset(seed=3)[0])
    with pytest.raises(ValueError, match="expected none of them with observation 'mine'"):
        WorldConfig(observation="mine", hide=("phase",))


def nothing(*_: Any) -> Any:
    return None


@pytest.mark.parametrize(
    ("name", "row", "error", "words"),
    [
        ("two words", Observation(nothing, nothing), ValueError, "expected an identifier"),
        ("None", Observation(nothing, nothing), ValueError, "expected an identifier"),
        (3, Observation(nothing, nothing), ValueError, "expected an identifier"),
        (
            "mine",
            (nothing, nothing),
            TypeError,
            "expected a row, sidestep.envs.Observation, got tu",
        ),
        ("mine", Observation(nothing), ValueError, "expected kernels or a function, got none"),
        (
            "mine",
            Observation(nothing, nothing, function=nothing),
            ValueError,
            "expected kernels or a function, got plain, function",
        ),
        (
            "mine",
            Observation("Box", nothing),
            TypeError,
            "expected space to be callable, got 'Box'",
        ),
        (
            "mine",
            Observation(nothing, nothing, proof=True),
            TypeError,
            "expected proof to be callable, got True",
        ),
        (
            "mine",
            Observation(nothing, nothing, of_one=1),
            TypeError,
            "expected of_one to be callable, got 1",
        ),
        (
            "mine",
            Observation(nothing, partial=nothing, of_one=nothing),
            ValueError,
            "expected of_one beside plain",
        ),
        ("mine", Observation(nothing, nothing, hides=True), ValueError, "expected hides True or"),
        ("mine", Observation(nothing, nothing, shows=None), TypeError, "expected shows to be a Sh"),
        (
            "book",
            Observation(nothing, nothing),
            ValueError,
            "expected one that is free, got 'book'",
        ),
    ],
)
def test_bad_rows_are_refused(
    tables: None, name: Any, row: Any, error: type[Exception], words: str
) -> None:
    before = dict(OBSERVATIONS)
    with pytest.raises(error, match=words):
        register_observation(name, row)
    assert before == OBSERVATIONS


def test_the_same_row_again_is_no_error(pieces: Any) -> None:
    register_observation("radar", pieces.RADAR)
    with pytest.raises(ValueError, match="got 'radar', which is taken"):
        register_observation("radar", pieces.RADAR._replace(hides=False))


@pytest.mark.parametrize(
    ("space", "function", "error", "words"),
    [
        (spaces.Discrete(3), nothing, TypeError, "'mine': expected its space to be a Box, got Dis"),
        (None, lambda lanes: lanes.goal[:, 0], ValueError, r"'mine': expected \(1, 2\), got \(1,"),
        (None, lambda lanes: lanes.goal + 0.5, TypeError, "'mine': expected int16, got float64"),
    ],
)
def test_what_does_not_fit_is_told(
    tables: None, space: Any, function: Any, error: type[Exception], words: str
) -> None:
    box = spaces.Box(-9, 9, (2,), np.int16) if space is None else space
    register_observation("mine", Observation(lambda levels, view: box, function=function))
    with pytest.raises(error, match=words):
        gym.make(ENV, observation="mine").reset(seed=0)


def test_the_world_cannot_be_changed_by_who_looks(tables: None) -> None:
    def vandal(lanes: Any) -> Any:
        lanes.tick[:] = 7
        return lanes.goal

    box = spaces.Box(-9, 9, (2,), np.int16)
    register_observation("mine", Observation(lambda levels, view: box, function=vandal))
    with pytest.raises(ValueError, match="read-only"):
        gym.make(ENV, observation="mine").reset(seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "others"), [("pieces:" + ENV, []), (ENV, ["--modules", "pieces"])], ids=["id", "flag"]
)
def test_runs_in_fresh_processes(tmp_path: Path, env: str, others: list[str]) -> None:
    words = ["train", "deep-sarsa", "--env", env, "--env-kwargs", "observation=radar", *SHORT]
    if others:
        line = refused(tmp_path, *words, "--out", "run")
        assert "expected one of features, planes, window, beacon, book, got 'radar'" in line
        assert "import the module" in line and not (tmp_path / "run").exists()
    succeeds(tmp_path, *words, "--out", "run", *others)
    as_an_older(tmp_path / "run")
    line = refused(tmp_path, "evaluate", "run")
    told = "expected an env in a module" if not others else "got 'radar'; of one that another"
    assert told in line and "--modules" in line
    for command in (
        ["evaluate", "run", "--episodes", "20", "--out", "figures.json"],
        ["train", "resume", "run", "--total-steps", "800", "--episodes", "20"],
        ["record", "run", "--out", "run.png"],
    ):
        succeeds(tmp_path, *command, "--modules", "pieces")
    (figures,) = json.loads((tmp_path / "figures.json").read_text())
    assert figures["episodes"] == 20 and -5.95 <= figures["return_mean"][0] <= 1
    assert (tmp_path / "run.png").stat().st_size > 5000
    assert "No module named 'piece'" in refused(tmp_path, "evaluate", "run", "--modules", "piece")


def test_a_run_names_what_is_missing(
    tables: None, as_fresh: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same in this process, whose tables are made as new before every command."""
    words = ["--env-kwargs", "observation=radar", *SHORT, "--out", str(tmp_path / "run")]
    as_fresh(train.main, ["deep-sarsa", *words, "--modules", "pieces"])
    as_an_older(tmp_path / "run")
    with pytest.raises(SystemExit) as caught:
        as_fresh(evaluate.main, [str(tmp_path / "run")])
    assert caught.value.code == 2
    line = capsys.readouterr().err
    assert (
        "expected one of features, planes, window, beacon, book, got 'radar'; of one that an"
        in line
    )
    run = [str(tmp_path / "run"), "--modules", "pieces"]
    as_fresh(evaluate.main, [*run, "--episodes", "5", "--out", str(tmp_path / "figures.json")])
    (figures,) = json.loads((tmp_path / "figures.json").read_text())
    assert figures["episodes"] == 5 and -5.95 <= figures["return_mean"][0] <= 1
    with pytest.raises(SystemExit):
        as_fresh(evaluate.main, [run[0], "--modules=piece"])
    assert "expected one to import, got 'piece' (No module named" in capsys.readouterr().err
