"""A policy that goes right in a corridor, and the viewers that show it."""

from typing import Any

import gymnasium as gym
import pygame

import sidestep.envs  # noqa: F401
from sidestep.scripts.viewer.screen import Screen, Viewer
from sidestep.scripts.viewer.session import Session

CORRIDOR = "S..G"


class Right:
    """Goes right, and notes what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, float, dict[str, Any]]] = []

    def act(self, obs: Any, episode_start: bool, reward: float, info: dict[str, Any]) -> int:
        self.told.append((episode_start, reward, info))
        return 2


def world(**config: Any) -> gym.Env[Any, Any]:
    config = {"level": CORRIDOR, **config}
    return gym.make("sidestep/MovingObstacles-v0", render_mode="rgb_array", **config)


def viewer(**options: Any) -> Viewer:
    return Viewer(world(), Right(), seed=0, **options)


def lanes(number: int) -> Screen:
    return Screen([Session(world(), Right(), seed=k, stride=number) for k in range(number)])


def down(key: int) -> pygame.Event:
    return pygame.Event(pygame.KEYDOWN, key=key)


def press(show: Screen, *keys: int) -> None:
    show.handle([down(key) for key in keys])
