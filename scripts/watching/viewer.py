"""A window in which one policy acts in one env."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import gymnasium as gym

from sidestep.scripts.panels.moment import Curve
from sidestep.scripts.panels.registry import BY_DEFAULT
from sidestep.scripts.watching.oracle import Oracle
from sidestep.scripts.watching.screen import Screen
from sidestep.scripts.watching.session import Session


class Viewer(Screen):
    """A `Screen` of one lane.

    Args:
        env: one env with render_mode="rgb_array"; not closed.
        policy: what acts: a `sidestep.agents.player.Player`, or anything with its `act`.
        title: of the window.
        seed: of the first episode; the following ones count up from it.
        speed: ticks a second.
        episodes: stop after so many; None: when the window is closed.
        oracle: knows what actions cost.
        curve: a learning curve to show; `viewer.session.curve` may be replaced at any time.
        panels: names of those that are on at first.
        folder: where pictures and recordings go.

    Raises:
        ValueError: an env that does not render, or a speed that is not positive.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        policy: Any,
        title: str = "sidestep",
        seed: int | None = None,
        speed: float = 5,
        episodes: int | None = None,
        oracle: Oracle | None = None,
        curve: Curve | None = None,
        panels: Collection[str] = BY_DEFAULT,
        folder: Path = Path(),
    ) -> None:
        """Begin the first episode; `run` opens the window."""
        session = Session(env, policy, seed, oracle=oracle, curve=curve)
        super().__init__([session], title, speed, episodes, panels, folder)
