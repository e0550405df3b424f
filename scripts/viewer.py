"""A window in which a policy acts in one env."""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Protocol

import gymnasium as gym
import pygame

from sidestep.envs.rendering import Window
from sidestep.scripts.stage import REFRESH_RATE, Tally, compose, drawing_of, run_window

SPEEDS = (1, 2, 3, 5, 8, 12, 20, 30, 60, 120)
"""Ticks a second to choose from."""
HOLD_SECONDS, HOLD_TICKS = 0.8, 4
"""The last picture of an episode stays so long, whichever is shorter."""
HELP = (
    "Keys",
    "space: pause and go on",
    "right arrow: one tick",
    "up, down, + or -: speed",
    "R: next episode",
    "H: this help",
    "Q or Esc: quit",
)


class Policy(Protocol):
    """What acts; `sidestep.agents.player.Player` is one."""

    def act(self, obs: Any, episode_start: bool, reward: float, info: dict[str, Any]) -> int:
        """The action for `obs`, which came with `reward` and `info`."""
        ...


class Command(Enum):
    """What a key asks for."""

    PAUSE, STEP, FASTER, SLOWER, NEXT, HELP, QUIT = range(7)


KEYS = {
    pygame.K_SPACE: Command.PAUSE,
    pygame.K_RIGHT: Command.STEP,
    pygame.K_UP: Command.FASTER,
    pygame.K_PLUS: Command.FASTER,
    pygame.K_EQUALS: Command.FASTER,
    pygame.K_KP_PLUS: Command.FASTER,
    pygame.K_DOWN: Command.SLOWER,
    pygame.K_MINUS: Command.SLOWER,
    pygame.K_KP_MINUS: Command.SLOWER,
    pygame.K_r: Command.NEXT,
    pygame.K_h: Command.HELP,
    pygame.K_q: Command.QUIT,
    pygame.K_ESCAPE: Command.QUIT,
}


def command_of(event: pygame.Event) -> Command | None:
    """What a window's event asks for; None for nothing."""
    if event.type in (pygame.QUIT, pygame.WINDOWCLOSE):
        return Command.QUIT
    return KEYS.get(event.key) if event.type == pygame.KEYDOWN else None


class Viewer:
    """Plays a policy in an env, tick by tick, and shows it.

    Args:
        env: one env with render_mode="rgb_array"; not closed.
        policy: what acts.
        title: of the window.
        seed: of the first episode; the following ones go on from there.
        speed: ticks a second.
        episodes: stop after so many; None: when the window is closed.

    Raises:
        ValueError: an env that does not render, or a speed that is not positive.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        policy: Policy,
        title: str = "sidestep",
        seed: int | None = None,
        speed: float = 5,
        episodes: int | None = None,
    ) -> None:
        """Begin the first episode; `run` opens the window."""
        if not speed > 0:
            raise ValueError(f"speed: expected a positive number of ticks a second, got {speed}")
        self.env, self.policy, self.episodes = env, policy, episodes
        self.speed, self.paused, self.helping, self.finished = float(speed), False, False, False
        self.tally, self.window = Tally(), Window(title)
        self.draw = drawing_of(env)
        self._obs: Any = None
        self._info: dict[str, Any] = {}
        self._reward = self._due = 0.0
        self._begin(seed)

    def run(self) -> Tally:
        """Show until the window is closed or the episodes are over; returns the score."""
        return run_window(self)

    def handle(self, events: Sequence[pygame.Event]) -> None:
        """Do what the events ask for."""
        for event in events:
            command = command_of(event)
            if command is not None:
                self.obey(command)

    def obey(self, command: Command) -> None:
        """Carry out one command."""
        match command:
            case Command.PAUSE:
                self.paused = not self.paused
            case Command.STEP:
                self.paused = True
                self.tick()
            case Command.FASTER:
                self.speed = next((s for s in SPEEDS if s > self.speed), self.speed)
            case Command.SLOWER:
                self.speed = next((s for s in reversed(SPEEDS) if s < self.speed), self.speed)
            case Command.NEXT:
                self._begin()
            case Command.HELP:
                self.helping = not self.helping
            case Command.QUIT:
                self.finished = True

    def advance(self, seconds: float) -> None:
        """Play the ticks that are due when `seconds` have passed; time stands still in a pause."""
        if self.paused or self.helping:
            return
        self._due -= seconds
        most = int(self.speed / REFRESH_RATE) + 1  # a slow machine plays slower, and never hangs
        for _ in range(most):
            if self._due > 0 or self.finished:
                break
            self.tick()
            self._due += 1 / self.speed
            if self.tally.over:
                self._due = max(1 / self.speed, min(HOLD_SECONDS, HOLD_TICKS / self.speed))
        self._due = max(self._due, 0.0)

    def tick(self) -> None:
        """Play one tick; after an episode's last, begin the next episode instead."""
        if self.tally.over:
            self._begin()
            return
        action = self.policy.act(self._obs, self.tally.ticks == 0, self._reward, self._info)
        self._obs, reward, terminated, truncated, self._info = self.env.step(action)
        self._reward = float(reward)
        success = bool(self._info.get("is_success", False))
        self.tally.count(self._reward, terminated or truncated, success)

    def status(self) -> str:
        """The line below the picture."""
        pace = "paused" if self.paused else f"{self.speed:g} ticks/s"
        return f"{self.tally.status()}   {pace}   H: keys"

    def show(self) -> None:
        """Draw the present picture."""
        if self.window.size is not None:
            message = HELP if self.helping else ()
            self.window.draw(compose(self.draw, self.window.size, self.status(), message))

    def _begin(self, seed: int | None = None) -> None:
        """Begin an episode, whose first picture stays for one tick; or leave after the last."""
        if self.tally.episodes == self.episodes:
            self.finished = True
            return
        self._obs, self._info = self.env.reset(seed=seed)
        self._reward, self._due = 0.0, 1 / self.speed
        self.tally.begin()
