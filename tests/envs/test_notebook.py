"""Pictures in notebooks: the bytes are the env's own picture, and nothing ever raises."""

import io
import sys
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

import sidestep.envs  # noqa: F401  # registers
from sidestep.envs import Level, MovingObstaclesEnv, solve
from sidestep.envs.drawing import board
from sidestep.envs.notebook import level_png, register, scene_of, wrapped_png
from sidestep.envs.solver.shown import STOPS

CROSS = "S.>.G\n.#.?.\n....<"


def decoded(png: bytes | None) -> Any:
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("render_mode", [None, "rgb_array"])
def test_an_env_shows_the_picture_that_it_renders(render_mode: str | None) -> None:
    env = gym.make("sidestep/MovingObstacles-v0", render_mode=render_mode)
    twin = gym.make("sidestep/MovingObstacles-v0", render_mode="rgb_array")
    inside = env.unwrapped
    assert isinstance(inside, MovingObstaclesEnv)
    assert inside._repr_png_() is None and wrapped_png(env) is None  # no episode has begun
    for one in (env, twin):
        one.reset(seed=3)
    np.testing.assert_array_equal(decoded(inside._repr_png_()), twin.render())
    if render_mode:  # previous cells are known
        for one in (env, twin):
            one.step(2)
        np.testing.assert_array_equal(decoded(wrapped_png(env)), twin.render())


def test_lanes_show_themselves_as_tiles() -> None:
    env = gym.make_vec("sidestep/MovingObstacles-v0", num_envs=5)
    assert env._repr_png_() is None  # type: ignore[attr-defined]
    env.reset(seed=3)
    shown = decoded(env._repr_png_())  # type: ignore[attr-defined]
    np.testing.assert_array_equal(shown, env.unwrapped.render_tiled(16))  # type: ignore[attr-defined]


def test_a_level_is_drawn_as_its_map_has_it() -> None:
    level = Level.parse(CROSS)
    env = MovingObstaclesEnv(level=CROSS, random_starts=False)
    env.reset(seed=0)
    scene = env.scene()
    assert scene_of(level)._replace(phase=scene.phase) == scene
    np.testing.assert_array_equal(decoded(level_png(level)), board.tiled([scene]))


def test_a_solution_shows_its_figures_values_and_policy() -> None:
    env = gym.make("sidestep/MovingObstacles-v0", level=CROSS.replace("?", "."))
    solution = solve(env, 0.9)
    values, actions = solution.maps(0, 0)
    shown = solution._repr_html_()
    assert shown is not None
    for figure in (f"{solution.mean_value:.4f}", f"{solution.success:.2%}"):
        assert f"<td>{figure}</td>" in shown
    goal = solution.config.map.goal
    inside = np.isfinite(values)
    inside[goal.y, goal.x] = False
    arrows = "\u2191\u2193\u2192\u2190\u00b7"  # up, down, right, left, stay
    wanted = {arrow: int((actions[inside] == k).sum()) for k, arrow in enumerate(arrows)}
    assert {arrow: shown.count(f"{arrow}<br>") for arrow in arrows} == wanted
    assert len(set(wanted.values())) > 2
    assert all(f'title="{value:.4f}"' in shown for value in values[inside].tolist())
    low = f"rgb{STOPS[0]}"
    worst = f'title="{np.nanmin(values):.4f}" style="background: {low}'
    assert worst in shown and shown.count('title="a wall"') == 1


def test_what_fails_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    env = gym.make("sidestep/MovingObstacles-v0")
    env.reset(seed=0)
    solution = solve(env, 1.0)

    def broken(*_: Any) -> Any:
        raise RuntimeError("no screen")

    monkeypatch.setattr(board, "frame", broken)
    monkeypatch.setattr(board, "tiled", broken)
    monkeypatch.setattr("sidestep.envs.solver.solution.solution_html", broken)
    vector = gym.make_vec("sidestep/MovingObstacles-v0", num_envs=2)
    vector.reset(seed=0)
    assert env.unwrapped._repr_png_() is None  # type: ignore[attr-defined]
    assert vector._repr_png_() is None  # type: ignore[attr-defined]
    assert level_png(Level.parse(CROSS)) is None and solution._repr_html_() is None
    assert wrapped_png(object()) is None


def test_ipython_is_told_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    formatter = formatters.DisplayFormatter()
    shell = SimpleNamespace(display_formatter=formatter)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    env = gym.make("sidestep/MovingObstacles-v0")
    env.reset(seed=1)
    assert "image/png" not in formatter.format(env)[0]
    register()
    shown, _ = formatter.format(env)
    assert decoded(shown["image/png"]).shape == decoded(wrapped_png(env)).shape
    level = formatter.format(Level.parse(CROSS))[0]
    assert level["image/png"] == level_png(Level.parse(CROSS))
    other = gym.make("CartPole-v1")
    assert list(formatter.format(other)[0]) == ["text/plain"]


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_without_a_notebook_nothing_happens(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    register()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    register()
    monkeypatch.delitem(sys.modules, "IPython")
    register()
    assert "IPython" not in sys.modules  # it is not loaded for this
    assert shell is None or not vars(shell)
