"""Envs that draw: made for it, warmed up, and asked for pictures."""

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import pygame

from sidestep.agents import EnvConfig, make_single
from sidestep.envs import MovingObstaclesEnv
from sidestep.envs.drawing import board
from sidestep.scripts.viewer.panels.moment import Pixels
from sidestep.scripts.viewer.view import STATUS_HEIGHT, Drawing

NOTICE_SECONDS = 2.0
"""What takes longer than this is announced."""


def drawing_of(env: gym.Env[Any, Any]) -> Drawing:
    """How `env` is drawn: our worlds at any size, others by their `rgb_array`.

    Raises:
        ValueError: an env made without render_mode="rgb_array"; the drawing raises it where an
            env's `render()` gives no picture.
    """
    if env.render_mode != "rgb_array":
        raise ValueError(f"env: expected render_mode 'rgb_array', got {env.render_mode!r}")
    world, limit = env.unwrapped, time_limit(env)

    def draw_world(width: int, height: int) -> Pixels:
        assert isinstance(world, MovingObstaclesEnv)
        return board.frame(world.scene()._replace(max_ticks=limit), (width, height))

    def draw_other(width: int, height: int) -> Pixels:
        return picture_of(env)

    return draw_world if isinstance(world, MovingObstaclesEnv) else draw_other


def make_drawn(config: EnvConfig) -> gym.Env[Any, Any]:
    """Make one env that draws pictures (render_mode="rgb_array").

    Raises:
        gymnasium.error.Error, TypeError: no such id, or keywords it does not take.
        ValueError: an env that draws none.
    """
    try:
        with _unwarned():
            env = make_single(config, render_mode="rgb_array")
    except (gym.error.Error, TypeError, ValueError) as error:
        if not isinstance(error, gym.error.DependencyNotInstalled):
            raise
        raise ValueError(f"env {config.id}: expected one that draws pictures, {error}") from error
    except Exception as error:  # others fail in their own ways where they cannot draw
        what = _words_of(error)
        raise ValueError(f"env {config.id}: expected one that draws pictures, {what}") from error
    if env.render_mode != "rgb_array":
        modes = list(map(str, env.metadata.get("render_modes") or ()))
        got = f"offers {', '.join(modes) or 'nothing'}"
        got = "takes no keyword render_mode" if "rgb_array" in modes else got
        env.close()
        raise ValueError(
            f"env {config.id}: expected one that draws pictures (rgb_array), got one that {got}"
        )
    return env


@contextmanager
def off_screen() -> Iterator[None]:
    """Let envs draw without a window: SDL looks for no screen, and has nothing to say of none.

    A driver that the user named, and a display that is in use already, stay.
    """
    name = "SDL_VIDEODRIVER"
    if os.environ.get(name) or pygame.display.get_init():
        yield
        return
    os.environ[name] = "dummy"
    try:
        yield
    finally:
        os.environ.pop(name, None)


def warm_up(env: gym.Env[Any, Any]) -> None:
    """Compile what ticks of our worlds need, before a window opens that would freeze meanwhile.

    The env is left in an episode of its own; the next `reset(seed=...)` begins as if there had
    been none. On standard error a line says so where it takes long, as on the first time.
    """
    if not isinstance(env.unwrapped, MovingObstaclesEnv):
        return
    words = "Compiling the world, once for this version ..."
    notice = threading.Timer(NOTICE_SECONDS, lambda: print(words, file=sys.stderr))
    notice.daemon = True
    notice.start()
    try:
        env.reset(seed=0)
        env.step(0)
    finally:
        notice.cancel()


def picture_of(env: gym.Env[Any, Any]) -> Pixels:
    """Draw an env as it is now.

    Args:
        env: made with render_mode="rgb_array".

    Returns:
        (H, W, 3) uint8, a copy: some envs draw on one canvas again and again.

    Raises:
        ValueError: its `render()` fails, or gives no picture.
    """
    name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
    try:
        with _unwarned():
            drawn: Any = env.render()
            picture = np.asarray(drawn)
    except Exception as error:  # others fail in their own ways
        raise ValueError(
            f"env {name}: expected a picture from render(), got {_words_of(error)}"
        ) from error
    is_grey = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 1)
    if is_grey:
        picture = np.repeat(picture.reshape(*picture.shape[:2], 1), 3, axis=2)
    fits = picture.ndim == 3 and picture.shape[2] in (3, 4) and min(picture.shape) > 0
    if (
        not fits
        or picture.dtype.kind not in "uif"
        or not 0 <= picture.min() <= picture.max() <= 255
    ):
        raise ValueError(
            f"env {name}: expected a picture from render(), (H, W, 3) of 0 to 255, "
            f"got {_kind_of(drawn)}"
        )
    if picture.dtype.kind == "f":  # up to 1: shares of full brightness
        picture = np.rint(picture * 255 if picture.max() <= 1 else picture)
    return picture[..., :3].astype(np.uint8)


@contextmanager
def _unwarned() -> Iterator[None]:
    """Keep back Gymnasium's advice to authors of envs, which would come with every picture."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _words_of(error: Exception) -> str:
    """An error on one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _kind_of(drawn: Any) -> str:
    """What `render` gave, in a few words."""
    if not isinstance(drawn, np.ndarray):
        return "None" if drawn is None else type(drawn).__name__
    held = f" of {drawn.min()} to {drawn.max()}" if drawn.size and drawn.dtype.kind in "uif" else ""
    return f"{drawn.dtype} {drawn.shape}{held}"


def time_limit(env: gym.Env[Any, Any]) -> int | None:
    """Ticks until an episode is cut; Gymnasium's wrappers keep it from the env inside."""
    return env.spec.max_episode_steps if env.spec is not None else None


def first_size(env: gym.Env[Any, Any]) -> tuple[int, int]:
    """(width, height) for a window of `env`, its status line included."""
    width, height = picture_size(env)
    if isinstance(env.unwrapped, MovingObstaclesEnv):
        return width, height + STATUS_HEIGHT
    return max(width, 432), max(height, 240) + STATUS_HEIGHT


def picture_size(env: gym.Env[Any, Any]) -> tuple[int, int]:
    """(width, height) of the default picture of `env`, whose first episode has begun."""
    world = env.unwrapped
    if isinstance(world, MovingObstaclesEnv):
        layout = board.Layout.default(world.level)
        return layout.width, layout.height
    height, width = picture_of(env).shape[:2]
    return width, height
