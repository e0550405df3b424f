"""A person in a world, alone or against a rival: keys, ticks, pictures, and who won."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pygame

from sidestep.envs.drawing.board import Window
from sidestep.scripts.viewer.env_pictures import drawing_of
from sidestep.scripts.viewer.race import Rival, Score, race_size, side_by_side, verdict
from sidestep.scripts.viewer.replay import ReplayEpisode, level_in
from sidestep.scripts.viewer.tally import Tally
from sidestep.scripts.viewer.view import STATUS_HEIGHT, compose
from sidestep.scripts.viewer.window import open_window, run_window

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


class Game:
    """A person in one world: keys come in, ticks are played, pictures come out.

    Args:
        env: one of this package's worlds with render_mode="rgb_array"; not closed.
        title: of the window.
        seed: of the first episode, the following ones count up from it; None: drawn.
        fps: ticks a second.
        turns: the world waits for a key before every tick.
        episodes: how many; None: until the window is closed.
        rival: who plays the same episodes; None: nobody.

    Attributes:
        played: the episodes that came to their end.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        title: str = "sidestep",
        seed: int | None = None,
        fps: float = 3.0,
        turns: bool = False,
        episodes: int | None = None,
        rival: Rival | None = None,
    ) -> None:
        """Begin the first episode; `run` opens the window."""
        self.env, self.rival = env, rival
        self.fps, self.turns, self.episodes = fps, turns, episodes
        self.tally, self.score, self.window = Tally(), Score(), Window(title)
        self.draw = drawing_of(env)
        if rival is not None:
            self.draw = side_by_side(env, self.draw, self.tally, rival)
        self.helping, self.finished = False, False
        self.played: list[ReplayEpisode] = []
        self._actions: list[int] = []
        self._held: list[int] = []
        self._next: int | None = None
        self._waiting, self._late, self._due = True, False, 0.0
        self._info: dict[str, Any] = {}
        first = int(np.random.default_rng().integers(1_000_000)) if seed is None else seed
        self.seed = first - 1
        self._begin()

    @property
    def is_decided(self) -> bool:
        """Whether the episode is over, the rival's too."""
        return self.tally.over and (self.rival is None or self.rival.tally.over)

    def run(self) -> Tally:
        """Play until the window is closed or the episodes are over; returns the score."""
        if self.rival is not None:
            width, height = race_size(self.env)
            open_window(self.window, width, height + STATUS_HEIGHT)
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
        elif key == pygame.K_r or (self.is_decided and key in (pygame.K_SPACE, pygame.K_RETURN)):
            self._begin()
        elif self.tally.over and self.rival is not None:
            if key in (pygame.K_SPACE, pygame.K_RETURN):  # no more waiting for it
                self.rival.finish()
                self._decide()
        elif key in ACTIONS and not self.tally.over and not self.helping:
            self._held.append(key)
            self._waiting = False
            if self.turns:
                self._tick(ACTIONS[key])
            else:
                self._next = ACTIONS[key]

    def advance(self, seconds: float) -> None:
        """Play a tick when one is due: the last key pressed since the tick before, else the held.

        The world waits for the first key of an episode, and while help is shown. A rival who is
        not there yet plays on.
        """
        alone = self.tally.over and not self.is_decided
        if self.helping or self._waiting or self.is_decided or (self.turns and not alone):
            return
        self._due -= seconds
        if alone and self.rival is not None:
            if self._due <= 0:
                self._due = 1 / self.fps
                self.rival.tick()
                self._decide()
            return
        if self._due <= 0:
            held = ACTIONS[self._held[-1]] if self._held else STAY
            self._tick(held if self._next is None else self._next)
            self._next, self._due = None, 1 / self.fps

    def status(self) -> str:
        """The line below the picture; at the end of an episode it says what happened."""
        if not self.tally.over:
            return f"{self.tally.status()}   H: keys"
        what = "Goal!" if self._info["is_success"] else "Time is up." if self._late else "Hit!"
        if self.rival is not None:
            theirs = self.rival.tally
            if not theirs.over:
                name, tick = self.rival.name, theirs.ticks
                return f"{what}   {name} plays on, tick {tick}   space: to its end"
            words = verdict(self.tally.total, theirs.total, self.rival.name)
            return f"{what} {words}   {self.score.words()}   space: next"
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
        self._actions.append(action)
        self.tally.count(float(reward), terminated or truncated, success)
        if self.rival is not None:
            self.rival.tick()
        if self.tally.over:
            level, actions = level_in(self.env), tuple(self._actions)
            episode = ReplayEpisode(self.seed, level, actions, self.tally.total, success)
            self.played.append(episode)
            self._decide()

    def _decide(self) -> None:
        """Count a race that has just been decided."""
        if self.rival is not None and self.is_decided:
            self.score.count(self.tally.total, self.rival.tally.total)

    def _begin(self) -> None:
        """Begin the episode of the next seed, or leave when all are played."""
        if self.tally.episodes == self.episodes:
            self.finished = True
            return
        self.seed += 1
        self.env.reset(seed=self.seed)
        self.tally.begin()
        if self.rival is not None:
            self.rival.begin(self.seed)
        self._actions = []
        self._held, self._next = [], None
        self._waiting, self._late, self._due = True, False, 0.0
