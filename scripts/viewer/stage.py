"""What `play` and the viewer share: the picture with a status line and a message, and the tally."""

import contextlib
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import pygame
from numpy.typing import NDArray

from sidestep.agents import EnvConfig, make_single
from sidestep.envs import MovingObstaclesEnv
from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing import palette, sprites
from sidestep.envs.drawing.layout import MARGIN
from sidestep.envs.drawing.screen_window import Window, fitted

Pixels = NDArray[np.uint8]
Drawing = Callable[[int, int], Pixels]
"""Gives a picture of about (width, height); it is scaled to fit."""

STATUS_HEIGHT = 34
NOTICE_SECONDS = 2.0
"""What takes longer than this is announced."""
REFRESH_RATE = 60
"""Times a second that keys are read."""


class Tally:
    """Counts episodes as they are played."""

    def __init__(self) -> None:
        """Nothing played yet."""
        self.episodes = self.successes = self.ticks = 0
        self.total, self.over = 0.0, False
        self.returns: list[float] = []

    def begin(self) -> None:
        """An episode begins; one that was not over is not counted."""
        self.ticks, self.total, self.over = 0, 0.0, False

    def count(self, reward: float, over: bool, success: bool) -> None:
        """A tick was played."""
        self.ticks += 1
        self.total += reward
        self.over = over
        if over:
            self.episodes += 1
            self.successes += success
            self.returns.append(self.total)

    def get_state(self) -> tuple[Any, ...]:
        """What `set_state` takes to forget all that is played from here on."""
        counts = (self.episodes, self.successes, self.ticks, self.total, self.over)
        return (*counts, len(self.returns))

    def set_state(self, state: tuple[Any, ...]) -> None:
        """Go back to an earlier `get_state()`."""
        self.episodes, self.successes, self.ticks, self.total, self.over, known = state
        del self.returns[known:]

    def status(self, with_success: bool = True) -> str:
        """The score in a line; the episode is counted from 1."""
        number = self.episodes + (not self.over)
        line = f"episode {number}   tick {self.ticks}   return {self.total:.2f}"
        return line + f"   successes {self.successes}/{self.episodes}" * with_success


def total(present: Tally, tallies: Sequence[Tally]) -> Tally:
    """The score of several together; ticks and return are those of `present`."""
    score = Tally()
    score.ticks, score.total, score.over = present.ticks, present.total, present.over
    for tally in tallies:
        score.episodes += tally.episodes
        score.successes += tally.successes
        score.returns += tally.returns
    return score


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
        return rendering.frame(world.scene()._replace(max_ticks=limit), (width, height))

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
        modes = ", ".join(map(str, env.metadata.get("render_modes") or ())) or "nothing"
        env.close()
        raise ValueError(
            f"env {config.id}: expected one that draws pictures (rgb_array), got one that offers "
            f"{modes}"
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
        layout = rendering.Layout.default(world.level)
        return layout.width, layout.height
    height, width = picture_of(env).shape[:2]
    return width, height


def compose(
    draw: Drawing,
    size: tuple[int, int],
    status: str,
    message: Sequence[str] = (),
    bright: bool = False,
) -> Pixels:
    """A picture above its status line, and a message box over it.

    Args:
        draw: the picture.
        size: (width, height) of the whole.
        status: a line; set smaller until it fits.
        message: lines for a box in the middle, the first one larger; none: no box.
        bright: draw attention to the status line.

    Returns:
        (H, W, 3) uint8.
    """
    width, height = size
    whole = pygame.Surface(size, 0, 32)
    whole.fill(palette.INK)
    room = max(1, height - STATUS_HEIGHT)
    whole.blit(fitted(draw(width, room), width, room), (0, 0))
    line = _writing(status, 21, palette.YELLOW if bright else palette.WHITE, width - 2 * MARGIN)
    whole.blit(line, (MARGIN, height - (STATUS_HEIGHT + line.get_height()) // 2))
    if message:
        _draw_box(whole, message, room)
    return rendering.pixels(whole)


def _draw_box(whole: pygame.Surface, message: Sequence[str], room: int) -> None:
    """Darken the picture and write the lines in its middle."""
    width = whole.get_width()
    veil = pygame.Surface((width, room), pygame.SRCALPHA)
    veil.fill((*palette.NIGHT, 150))
    whole.blit(veil, (0, 0))
    lines = [
        _writing(text, 22 if k else 32, palette.WHITE if k else palette.YELLOW, width - 60)
        for k, text in enumerate(message)
    ]
    high, wide = sum(line.get_height() + 8 for line in lines), max(x.get_width() for x in lines)
    box = pygame.Rect(0, 0, wide + 44, high + 24)
    box.center = (width // 2, room // 2)
    pygame.draw.rect(whole, palette.INK, box, border_radius=14)
    pygame.draw.rect(whole, palette.LINE, box, 2, border_radius=14)
    top = box.top + 16
    for line in lines:
        whole.blit(line, (box.centerx - line.get_width() // 2, top))
        top += line.get_height() + 8


def _writing(text: str, height: int, colour: palette.Colour, width: int) -> pygame.Surface:
    """A line of text, set smaller until it is at most `width` wide; never under 11 pixels."""
    while height > 11 and sprites.font(height).size(text)[0] > width:
        height -= 1
    return sprites.font(height).render(text, True, colour)


def open_window(window: Window, width: int, height: int) -> None:
    """Open a command's window; what SDL and the window system write to the terminal is kept back.

    Raises:
        OSError: there is no screen.
    """
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError):  # a standard error without a file
            kept = os.dup(2)
            stack.callback(os.close, kept)
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            stack.callback(os.dup2, kept, 2)
        try:
            window.open(width, height)
        except OSError as error:
            what = str(error).partition(";")[0]
            raise OSError(
                f"{what}; `sidestep record` draws what `watch` shows without one"
            ) from None


def run_window(player: Any) -> Tally:
    """Show a `play.Game` or a `Viewer` until its window is closed or it is finished.

    Returns:
        The score.
    """
    open_window(player.window, *first_size(player.env))
    clock = pygame.time.Clock()
    shown: Any = None
    while not player.finished and not player.window.closed:
        events = player.window.events()
        player.handle(events)
        player.advance(clock.tick(REFRESH_RATE) / 1000)
        facts = (player.window.size, player.tally.episodes, player.status(), player.helping)
        if events or facts != shown:
            player.show()
            shown = facts
    player.window.close()
    tally: Tally = player.tally
    return tally
