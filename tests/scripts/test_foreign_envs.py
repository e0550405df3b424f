"""Envs of others at the command line: those that draw in their own way, and those that cannot."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio.v3 as imageio
import numpy as np
import pytest

from sidestep.agents import EnvConfig
from sidestep.scripts import evaluate, record, train, watch
from sidestep.scripts.viewer.env_pictures import make_drawn, picture_of

SMALL = "--num-envs 2 --rollout-steps 4 --hidden-sizes 7 --total-steps 40 --episodes 3"
BRIEF = [*SMALL.split(), "--evaluation-episodes", "2", "--gif-episodes", "2"]
LENGTH = 5


class Walk(gym.Env[Any, Any]):
    """Five ticks long; draws a grey level that says the tick, each time on the same canvas."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012
    observation_space = gym.spaces.Box(0, 9, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode, self.tick = render_mode, 0
        self.canvas = np.zeros((20, 30, 3), dtype=np.uint8)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.tick = 0
        return np.array([0], np.float32), {}

    def step(self, action: Any) -> Any:
        self.tick += 1
        return np.array([self.tick], np.float32), 1.0, self.tick >= LENGTH, False, {}

    def render(self) -> Any:
        self.canvas[:] = 40 * self.tick
        return self.canvas


class Plain(Walk):
    """Takes no render_mode, and cannot draw."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()


class Untold(Walk):
    """Says that it could draw, and takes no render_mode."""

    def __init__(self) -> None:
        super().__init__()


class Always(Walk):
    """Takes no render_mode, and always draws."""

    def __init__(self) -> None:
        super().__init__("rgb_array")


class Bare(gym.Env[Any, Any]):
    """Has no `__init__` at all, and always draws."""

    render_mode = "rgb_array"
    observation_space, action_space = Walk.observation_space, Walk.action_space
    tick = 0
    step = Walk.step

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.tick = 0
        return np.array([0], np.float32), {}

    def render(self) -> Any:
        return np.full((20, 30, 3), 40 * self.tick, dtype=np.uint8)


class HumanOnly(Walk):
    metadata: dict[str, Any] = {"render_modes": ["human"]}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        assert render_mode in (None, "human")
        super().__init__(render_mode)


class Refuses(Walk):
    def __init__(self, render_mode: str | None = None) -> None:
        if render_mode is not None:
            raise NotImplementedError("no pictures\nyet")
        super().__init__(render_mode)


class Fails(Walk):
    def render(self) -> Any:
        raise KeyError("sprite")


class FailsLate(Walk):
    def render(self) -> Any:
        if self.tick == 3:
            raise RuntimeError("no sprite for this")
        return super().render()


class Nothing(Walk):
    def render(self) -> Any:
        return None


class Growing(Walk):
    def render(self) -> Any:
        return np.full((20 + 2 * self.tick, 30, 3), 40 * self.tick, dtype=np.uint8)


class Grey(Walk):
    def render(self) -> Any:
        return super().render()[..., 0]


class Shares(Walk):
    def render(self) -> Any:
        return super().render() / 255


class Transparent(Walk):
    def render(self) -> Any:
        return np.concatenate([super().render(), np.zeros((20, 30, 1), np.uint8)], axis=2)


class Text(Walk):
    def render(self) -> Any:
        return "S..G"


class Negative(Walk):
    def render(self) -> Any:
        return super().render().astype(np.int64) * 0 - 1


DRAWS = (Walk, Always, Bare, Growing, Grey, Shares, Transparent)
DOES_NOT = {
    Plain: "expected one that draws pictures (rgb_array), got one that offers nothing",
    Untold: "expected one that draws pictures (rgb_array), got one that takes no keyword "
    "render_mode",
    HumanOnly: "expected one that draws pictures (rgb_array), got one that offers human",
    Refuses: "expected one that draws pictures, NotImplementedError: no pictures yet",
    Fails: "expected a picture from render(), got KeyError: 'sprite'",
    FailsLate: "expected a picture from render(), got RuntimeError: no sprite for this",
    Nothing: "expected a picture from render(), (H, W, 3) of 0 to 255, got None",
    Text: "expected a picture from render(), (H, W, 3) of 0 to 255, got str",
    Negative: "expected a picture from render(), (H, W, 3) of 0 to 255, "
    "got int64 (20, 30, 3) of -1 to -1",
}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    kinds = (*DRAWS, *DOES_NOT)
    for kind in kinds:
        gym.register(f"test/{kind.__name__}-v0", entry_point=kind, max_episode_steps=9)
    yield
    for kind in kinds:
        del gym.registry[f"test/{kind.__name__}-v0"]


def trained(kind: type[Walk], folder: Path) -> Path:
    words = ["deep-sarsa", "--env", f"test/{kind.__name__}-v0", "--out", str(folder)]
    train.main([*words, *BRIEF])
    return folder


@pytest.mark.parametrize("kind", DRAWS)
def test_a_gif_of_every_tick(kind: type[Walk], tmp_path: Path) -> None:
    folder = trained(kind, tmp_path / "run")
    frames = imageio.imread(folder / "greedy.gif", index=None, mode="RGB")
    assert frames.shape == (12, 20, 30, 3)
    # two episodes; what is larger than the first picture is shrunk into its middle
    want = [40.0 * tick for tick in range(LENGTH + 1)] * 2
    assert np.allclose(frames[:, 10, 15].mean(axis=-1), want, atol=4)


@pytest.mark.parametrize("kind", DOES_NOT)
@pytest.mark.filterwarnings("ignore:.*render_mode")
def test_an_env_that_cannot_draw_is_trained_to_the_end(
    kind: type[Walk], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(kind, tmp_path / "run")
    said = capsys.readouterr().out
    reason = f"No greedy.gif: env test/{kind.__name__}-v0: {DOES_NOT[kind]}"
    assert reason in said and f"Run folder: {folder}" in said
    assert (folder / "curve.png").exists() and not (folder / "greedy.gif").exists()
    evaluate.main([str(folder), "--episodes", "3"])
    capsys.readouterr()
    for command, words in (
        (record, [str(folder), "--out", str(tmp_path / "a.gif")]),
        (watch, [str(folder), "--episodes", "1", "--fps", "30"]),
    ):
        with pytest.raises(SystemExit) as stop:
            command.main(words)
        error = capsys.readouterr().err
        assert stop.value.code == 2 and error.count("\n") == 1
        assert DOES_NOT[kind] in error and error.startswith("sidestep ")
    assert not (tmp_path / "a.gif").exists()


@pytest.mark.parametrize("kind", [Always, Growing])
def test_others_pictures_are_recorded_and_watched(
    kind: type[Walk], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(kind, tmp_path / "run")
    record.main([str(folder), "--out", str(tmp_path / "a.gif"), "--size", "320x240"])
    assert len(imageio.imread(tmp_path / "a.gif", index=None)) == LENGTH + 1
    watch.main([str(folder), "--episodes", "1", "--fps", "1000"])
    assert "in 1 episodes, mean return 5.00" in capsys.readouterr().out


def test_a_picture_is_a_copy() -> None:
    env = make_drawn(EnvConfig("test/Walk-v0"))
    env.reset(seed=0)
    first = picture_of(env)
    env.step(0)
    second = picture_of(env)
    assert first.max() == 0 and second.min() == second.max() == 40


def test_a_large_picture_is_shrunk_for_the_gif(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = np.full((1000, 2000, 3), 90, dtype=np.uint8)
    monkeypatch.setattr(Walk, "render", lambda self: large)
    frames = imageio.imread(trained(Walk, tmp_path / "run") / "greedy.gif", index=None)
    assert frames.shape[1:3] == (400, 800)


def test_unknown_ids_are_still_named() -> None:
    with pytest.raises(gym.error.Error, match="doesn't exist"):
        make_drawn(EnvConfig("test/Nope-v0"))


MODULE = """
import gymnasium as gym

class Still(gym.Env):
    observation_space = gym.spaces.Discrete(3)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        return 1, 1.0, True, False, {}

gym.register("Still-v0", Still)
"""


@pytest.mark.slow
def test_a_module_of_the_present_folder_is_found(tmp_path: Path) -> None:
    """The installed command `sidestep` has its own folder first in Python's path, not this one."""
    (tmp_path / "my_envs.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("x = (")
    command = [sys.executable, "-P", "-m", "sidestep.scripts.cli", "train", "reinforce", "--env"]
    options = ["--total-steps", "8", "--num-envs", "2", "--episodes", "2", "--out", "run"]
    done = subprocess.run(
        [*command, "my_envs:Still-v0", *options], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "mean return" in done.stdout and (tmp_path / "run" / "curve.png").exists()
    done = subprocess.run(
        [*command, "broken:Still-v0", *options], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2 and "to import, got SyntaxError: '(' was never" in done.stderr
