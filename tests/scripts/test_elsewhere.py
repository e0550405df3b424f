"""Trained agents in other envs and settings than their own: evaluated, watched, recorded."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from sidestep.agents import EnvConfig, evaluate, load_agent, make_single, make_vector
from sidestep.agents.environments import check_spaces, space_in_words
from sidestep.scripts import evaluate as command
from sidestep.scripts import play, record, train, watch
from sidestep.scripts.viewer.replay import Replay

SHORT = "--num-envs 4 --rollout-steps 8 --hidden-sizes 7 --total-steps 400 --episodes 3".split()
SHORT += ["--evaluate-every", "0", "--gif-episodes", "0"]
POOL = "pool={'count': 3}"


@pytest.fixture(autouse=True)
def dark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in FrozenLake, which slips there."""
    folder = tmp_path_factory.mktemp("frozen") / "run"
    train.main(["deep-sarsa", "--env", "FrozenLake-v1", *SHORT, "--out", str(folder)])
    return folder


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on three levels of Crossing-v0."""
    folder = tmp_path_factory.mktemp("crossing") / "run"
    words = ["--env", "sidestep/Crossing-v0", "--env-kwargs", POOL, "--max-episode-steps", "30"]
    train.main(["deep-sarsa", *words, *SHORT, "--out", str(folder)])
    return folder


def summary_of(run: Path, out: Path, *words: str) -> dict[str, Any]:
    command.main([str(run), "--episodes", "40", "--seed", "1", "--out", str(out), *words])
    (summary,) = json.loads(out.read_text())
    assert isinstance(summary, dict)
    return summary


def played(run: Path, config: EnvConfig) -> float:
    """The mean return of the same episodes, by the library."""
    agent, _ = load_agent(run)
    env = make_vector(config, 40)
    try:
        return float(evaluate(agent, env, 40, 1).returns.mean())
    finally:
        env.close()


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What was written, in one line: titles are as wide as their tables."""
    return " ".join(capsys.readouterr().out.split())


def refused(main: Any, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(words)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1
    return error


def test_keywords_of_others_envs(
    frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    out = tmp_path / "e.json"
    slips = summary_of(frozen, out)
    words = told(capsys)
    assert ", seed 1)" in words and " in FrozenLake" not in words
    firm = summary_of(frozen, out, "--env-kwargs", "is_slippery=False")
    assert ", seed 1, in FrozenLake-v1 is_slippery=False)" in told(capsys)
    assert slips["env"] == {
        "id": "FrozenLake-v1", "kwargs": [], "max_episode_steps": None, "vectorization": "auto",
    }  # fmt: skip
    assert firm["env"]["kwargs"] == ["is_slippery=False"]
    # a fixed policy on ice that does not slip: every episode is the same
    assert firm["return_std"] == 0.0 and firm["length_mean"] != slips["length_mean"]
    assert firm["return_mean"][0] == played(
        frozen, EnvConfig("FrozenLake-v1", ("is_slippery=False",))
    )


def test_other_envs_of_the_same_spaces(
    frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--env", "FrozenLake8x8-v1", "--env-kwargs", "map_name=4x4", "is_slippery=False"]
    far = summary_of(frozen, tmp_path / "e.json", *words)
    assert "in FrozenLake8x8-v1 map_name=4x4 is_slippery=False)" in told(capsys)
    near = summary_of(frozen, tmp_path / "e.json", "--env-kwargs", "is_slippery=False")
    assert far["env"]["id"] == "FrozenLake8x8-v1" and far["return_mean"] == near["return_mean"]


@pytest.mark.parametrize("main", [command.main, watch.main, record.main])
@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["--env-kwargs", "map_name=8x8"],
            "env FrozenLake-v1 map_name=8x8: expected observations as in training, Discrete(16), "
            "got Discrete(64)",
        ),
        (
            ["--env", "CartPole-v1"],
            "env CartPole-v1: expected observations as in training, Discrete(16), got float32 (4,)",
        ),
        (["--env-kwargs", "slippery=1"], "got an unexpected keyword argument 'slippery'"),
        (["--env-kwargs", "slippery"], "env kwargs: expected name=value, got 'slippery'"),
        (["--env", "FrozenLaky-v1"], "doesn't exist"),
        (["--env", "no_such_module:Lake-v1"], "expected a module to import"),
    ],
)
def test_what_does_not_fit_is_refused(
    main: Any, words: list[str], error: str, frozen: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = ["--out", str(tmp_path / "a.png")] if main is record.main else []
    more = ["--episodes", "1"] if main is watch.main else []
    assert error in refused(main, [str(frozen), *words, *out, *more], capsys)
    assert not (tmp_path / "a.png").exists()


def test_levels_that_nobody_trained_on(
    crossing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e.json"
    own = summary_of(crossing, out)
    test = summary_of(crossing, out, "--env-kwargs", "split=test")
    assert f"in sidestep/Crossing-v0 {POOL} split=test max_episode_steps=30)" in (told(capsys))
    config = EnvConfig("sidestep/Crossing-v0", (POOL, "split=test"), 30)
    assert EnvConfig(**{**test["env"], "kwargs": tuple(test["env"]["kwargs"])}) == config
    assert test["return_mean"][0] == pytest.approx(played(crossing, config))
    assert test["optimum"] != own["optimum"]  # of these levels, not of the training's
    assert test["regret"][0] == pytest.approx(test["optimum"] - test["return_mean"][0])
    # a limit among the keywords takes the place of the training's
    short = summary_of(crossing, out, "--env-kwargs", "max_episode_steps=4")
    assert short["env"]["max_episode_steps"] is None and short["length_mean"] <= 4


def test_watching_and_recording_elsewhere(
    crossing: Path, frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = [str(crossing), "--env-kwargs", "split=test", "--size", "320x240", "--seed", "2"]
    record.main([*words, "--out", str(tmp_path / "test.png")])
    assert "of seed 2 in sidestep/Crossing-v0 " in told(capsys)
    record.main([words[0], *words[3:], "--out", str(tmp_path / "own.png")])
    assert " in sidestep/Crossing" not in told(capsys)
    assert (tmp_path / "test.png").read_bytes() != (tmp_path / "own.png").read_bytes()
    record.main([*words, "--optimum", "--out", str(tmp_path / "best.png")])
    assert "of seed 2 in sidestep/Crossing-v0 " in told(capsys)
    slow = ["--episodes", "1", "--fps", "1000"]
    watch.main([str(crossing), "--env-kwargs", "split=test", "--seed", "2", *slow])
    assert "in 1 episodes" in told(capsys)
    watch.main([str(frozen), "--env-kwargs", "is_slippery=False", *slow])
    assert "in 1 episodes" in told(capsys)


def test_several_runs_say_where_they_were_evaluated(
    frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    train.main(["deep-sarsa", "--env", "FrozenLake-v1", *SHORT, "--seed", "1", "--out", str(other)])
    capsys.readouterr()
    flags = ["--episodes", "4", "--figure", str(tmp_path / "c.png")]
    command.main([str(frozen), str(other), *flags, "--env-kwargs", "is_slippery=False"])
    words = told(capsys)
    assert "Means, in FrozenLake-v1 is_slippery=False; of groups" in words and "(2)" in words
    command.main([str(frozen), str(other), *flags])
    assert "Means; of groups" in told(capsys)


def test_a_race_elsewhere_is_replayed(
    crossing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import pygame

    from sidestep.envs.drawing.screen_window import Window

    keys = iter([pygame.K_SPACE] * 30 + [pygame.K_SPACE, pygame.K_q])
    monkeypatch.setattr(
        Window, "events", lambda self: [pygame.Event(pygame.KEYDOWN, key=next(keys))]
    )
    out = tmp_path / "game.json"
    words = ["--against", str(crossing), "--env-kwargs", "split=test", "--turns", "--seed", "3"]
    play.main([*words, "--out", str(out)])
    replay = Replay.load(out)  # plays it again, and finds the same
    env = make_single(EnvConfig("sidestep/Crossing-v0", (POOL, "split=test"), 30))
    env.reset(seed=3)
    assert replay.env.keywords()["split"] == "test"
    assert replay.episodes[0].level == str(env.unwrapped.level)  # type: ignore[attr-defined]
    record.main([str(out), "--out", str(tmp_path / "a.gif"), "--size", "320x240"])
    assert "of seed 3" in told(capsys)


class Shown:
    """Nothing but spaces."""

    def __init__(self, observation: Any, action: Any = None) -> None:
        self.observation_space, self.action_space = observation, action or spaces.Discrete(2)


BOX = spaces.Box(-1, 1, (3,), np.float32)


@pytest.mark.parametrize(
    ("known", "other", "fits"),
    [
        (BOX, spaces.Box(-1, 1, (3,), np.float32), True),
        (BOX, spaces.Box(-1, 2, (3,), np.float32), "bounds"),
        (BOX, spaces.Box(-1, 1, (4,), np.float32), False),
        (BOX, spaces.Box(-1, 1, (3,), np.float64), False),
        (BOX, spaces.Discrete(3), False),
        (spaces.Discrete(3), spaces.Discrete(3, start=1), False),
        (spaces.Dict(a=BOX, m=spaces.Text(3)), spaces.Dict(a=BOX, m=spaces.Text(9)), True),
        (spaces.Dict(a=BOX), spaces.Dict(b=BOX), False),
        (spaces.Tuple([BOX, spaces.Discrete(2)]), spaces.Tuple([BOX]), False),
        (spaces.Tuple([BOX]), spaces.Tuple([spaces.Box(0, 9, (3,), np.float32)]), "bounds"),
        (spaces.Dict(a=BOX), spaces.Dict(a=spaces.Dict(a=BOX)), False),
        (spaces.MultiDiscrete([2, 3]), spaces.MultiDiscrete([2, 4]), False),
    ],
)
def test_which_spaces_agree(known: Any, other: Any, fits: bool | str) -> None:
    env: Any = Shown(other)
    if fits is False:
        with pytest.raises(ValueError, match=r"^env x: expected observations as in training, "):
            check_spaces(env, known, spaces.Discrete(2), "x")
        return
    said = check_spaces(env, known, spaces.Discrete(2), "x")
    want = "Observations in x have other bounds than in training."
    assert said == (want if fits == "bounds" else None)


def test_actions_must_agree_too() -> None:
    env: Any = Shown(BOX, spaces.Discrete(4))
    with pytest.raises(
        ValueError, match=r"expected actions as in training, Discrete\(2\), got Discrete\(4\)$"
    ):
        check_spaces(env, BOX, spaces.Discrete(2), "x")
    space = spaces.Dict(a=BOX, m=spaces.Tuple([spaces.Text(3), spaces.Discrete(2)]))
    assert space_in_words(space) == "Dict(a: float32 (3,), m: Tuple(Text, Discrete(2)))"


def test_keywords_beside_and_instead() -> None:
    own = EnvConfig("A-v0", ("a=1", "b=2"), 50, "sync")
    assert own.elsewhere(None, ()) == own
    assert own.elsewhere(None, ("b=3", "c=4")) == EnvConfig(
        "A-v0", ("a=1", "b=3", "c=4"), 50, "sync"
    )
    assert own.elsewhere("B-v0", ("c=4",)) == EnvConfig("B-v0", ("c=4",))
    limited = own.elsewhere(None, ("max_episode_steps=9",))
    assert limited.max_episode_steps is None
    assert limited.in_words() == "A-v0 a=1 b=2 max_episode_steps=9"
    assert own.in_words() == "A-v0 a=1 b=2 max_episode_steps=50"
    made = gym.make("FrozenLake-v1")
    assert check_spaces(made, made.observation_space, made.action_space, "x") is None


class Wide(gym.Env[Any, Any]):
    """One number up to `high`, two ticks long."""

    action_space = spaces.Discrete(2)

    def __init__(self, high: float = 1.0, render_mode: str | None = None) -> None:
        self.observation_space = spaces.Box(0, high, (1,), np.float32)
        self.high, self.tick, self.render_mode = high, 0, render_mode

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.tick = 0
        return np.array([self.high], np.float32), {}

    def step(self, action: Any) -> Any:
        self.tick += 1
        return np.array([self.high], np.float32), self.high, self.tick == 2, False, {}

    def render(self) -> Any:
        return np.zeros((20, 30, 3), np.uint8)


def test_other_bounds_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gym.register("test/Wide-v0", entry_point=Wide)
    try:
        run = str(tmp_path / "run")
        train.main(["deep-sarsa", "--env", "test/Wide-v0", *SHORT, "--out", run])
        capsys.readouterr()
        for main, words in (
            (command.main, ["--episodes", "3"]),
            (record.main, ["--out", str(tmp_path / "a.png"), "--size", "320x240"]),
        ):
            main([run, *words, "--env-kwargs", "high=5.0"])
            said = capsys.readouterr()
            line = "Observations in test/Wide-v0 high=5.0 have other bounds than in training.\n"
            assert said.err.count(line) == 1
            main([run, *words])
            assert "bounds" not in capsys.readouterr().err
    finally:
        del gym.registry["test/Wide-v0"]
