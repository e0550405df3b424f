"""`sidestep play`: cross the world yourself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import pygame

from sidestep.envs import MovingObstaclesEnv
from sidestep.envs.rendering import Window
from sidestep.scripts.console import console, guarded, parse
from sidestep.scripts.stage import REFRESH_RATE, Tally, compose, drawing_of, run_window

EXAMPLES = """\
  sidestep play
  sidestep play --turns
  sidestep play --env sidestep/Book-v0 --fps 4 --seed 7
  sidestep play --level my-level.txt"""

STAY = 4
ARROWS = {pygame.K_UP: 0, pygame.K_DOWN: 1, pygame.K_RIGHT: 2, pygame.K_LEFT: 3}
LETTERS = {pygame.K_w: 0, pygame.K_s: 1, pygame.K_d: 2, pygame.K_a: 3}
ACTIONS = {**ARROWS, **LETTERS, pygame.K_SPACE: STAY}
HELP = (
    "Reach the flag, dodge the rest",
    "arrows or W A S D: go      space: stay",
    "bright obstacles move in the coming tick, dim ones wait",
    "R: new episode      H: this help      Q or Esc: quit",
)


@dataclass(frozen=True)
class Options:
    """Cross the world yourself: arrow keys go, space stays, R restarts, H helps, Q quits."""

    env: str = "sidestep/MovingObstacles-v0"
    """Id of one of this package's worlds."""
    level: Path | None = None
    """A text file with a map to play on instead of the env's own."""
    seed: int | None = None
    """Of the first episode; the following ones go on from there."""
    fps: float = 3.0
    """Ticks a second."""
    turns: bool = False
    """The world waits for a key before every tick."""
    episodes: int | None = None
    """Stop after so many; when the window is closed if left out."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 < self.fps <= REFRESH_RATE:
            raise ValueError(f"fps: expected more than 0, at most {REFRESH_RATE}, got {self.fps}")
        if self.episodes is not None and self.episodes < 1:
            raise ValueError(f"episodes: expected at least 1, got {self.episodes}")
        if self.seed is not None and self.seed < 0:
            raise ValueError(f"seed: expected a non-negative integer, got {self.seed}")


class Game:
    """A person in one world: keys come in, ticks are played, pictures come out.

    Args:
        env: one of this package's worlds with render_mode="rgb_array"; not closed.
        options: pace, seed and number of episodes.
    """

    def __init__(self, env: gym.Env[Any, Any], options: Options) -> None:
        """Begin the first episode; `run` opens the window."""
        self.env, self.options = env, options
        self.tally, self.window = Tally(), Window(f"sidestep play: {options.env}")
        self.draw = drawing_of(env)
        self.helping, self.finished = False, False
        self._held: list[int] = []
        self._next: int | None = None
        self._waiting, self._late, self._due = True, False, 0.0
        self._info: dict[str, Any] = {}
        self._begin(options.seed)

    def run(self) -> Tally:
        """Play until the window is closed or the episodes are over; returns the score."""
        return run_window(self)

    def handle(self, events: Sequence[pygame.Event]) -> None:
        """Do what the events ask for."""
        for event in events:
            if event.type in (pygame.QUIT, pygame.WINDOWCLOSE):
                self.finished = True
            elif event.type == pygame.KEYDOWN:
                self.press(event.key)
            elif event.type == pygame.KEYUP:
                self._held = [key for key in self._held if key != event.key]

    def press(self, key: int) -> None:
        """A key goes down."""
        if key in (pygame.K_q, pygame.K_ESCAPE):
            self.finished = True
        elif key == pygame.K_h:
            self.helping = not self.helping
        elif key == pygame.K_r or (self.tally.over and key in (pygame.K_SPACE, pygame.K_RETURN)):
            self._begin()
        elif key in ACTIONS and not self.tally.over and not self.helping:
            self._held.append(key)
            self._waiting = False
            if self.options.turns:
                self._tick(ACTIONS[key])
            else:
                self._next = ACTIONS[key]

    def advance(self, seconds: float) -> None:
        """Play a tick when one is due: the last key pressed since the tick before, else the held.

        The world waits for the first key of an episode, and while help is shown.
        """
        if self.options.turns or self._waiting or self.helping or self.tally.over:
            return
        self._due -= seconds
        if self._due <= 0:
            held = ACTIONS[self._held[-1]] if self._held else STAY
            self._tick(held if self._next is None else self._next)
            self._next, self._due = None, 1 / self.options.fps

    def status(self) -> str:
        """The line below the picture; at the end of an episode it says what happened."""
        if not self.tally.over:
            return f"{self.tally.status()}   H: keys"
        what = "Goal!" if self._info["is_success"] else "Time is up." if self._late else "Hit!"
        score = f"{self.tally.successes}/{self.tally.episodes}"
        return f"{what}   return {self.tally.total:.2f}   successes {score}   space: next episode"

    def show(self) -> None:
        """Draw the present picture."""
        if self.window.size is not None:
            message = HELP if self.helping else ()
            picture = compose(
                self.draw, self.window.size, self.status(), message, bright=self.tally.over
            )
            self.window.draw(picture)

    def _tick(self, action: int) -> None:
        _, reward, terminated, truncated, self._info = self.env.step(action)
        self._late = truncated and not terminated
        success = self._info["is_success"]
        self.tally.count(float(reward), terminated or truncated, success)

    def _begin(self, seed: int | None = None) -> None:
        """Begin an episode, or leave when all are played."""
        if self.tally.episodes == self.options.episodes:
            self.finished = True
            return
        self.env.reset(seed=seed)
        self.tally.begin()
        self._held, self._next = [], None
        self._waiting, self._late, self._due = True, False, 0.0


def make_env(options: Options) -> gym.Env[Any, Any]:
    """The world to play in.

    Raises:
        gymnasium.error.Error: no such id.
        ValueError: not one of this package's worlds, or a malformed level.
        OSError: no such file.
    """
    keywords: dict[str, Any] = {} if options.level is None else {"level": read_level(options.level)}
    env = gym.make(options.env, render_mode="rgb_array", **keywords)
    if not isinstance(env.unwrapped, MovingObstaclesEnv):
        env.close()
        raise ValueError(f"env: expected one of this package's worlds, got {options.env}")
    return env


def read_level(path: Path) -> str:
    """The text of a level file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"level: expected a text file, got {path}") from None
    except OSError as error:
        raise OSError(f"level: expected a text file, got {path} ({error.strerror})") from None


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    guarded("play", lambda: run(parse(Options, "play", args, EXAMPLES)))


def run(options: Options) -> None:
    """Play, then say the score."""
    env = make_env(options)
    try:
        tally = Game(env, options).run()
    finally:
        env.close()
    mean = f", mean return {sum(tally.returns) / len(tally.returns):.2f}" if tally.returns else ""
    console.print(f"{tally.successes} of {tally.episodes} episodes reached the goal{mean}")


if __name__ == "__main__":
    main()
