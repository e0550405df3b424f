"""A corridor whose sign is at its beginning and whose junction is at its end: the T-maze."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .cue import count_of, known_mode

Observation = NDArray[np.float32]
UP, DOWN, FORWARD, BACK = range(4)
SIGNS = ((1, 1, 0), (0, 1, 1))
"""Of a goal below and above."""
CORRIDOR, JUNCTION = (1, 0, 1), (0, 1, 0)


class TMazeEnv(gym.Env[Observation, int]):
    """Walk a corridor of `length` cells and turn where the sign at its beginning said.

    ## Action Space
    Discrete(4): 0 up, 1 down, 2 forward, 3 back.

    ## Observation Space
    Box, float32 (3,): 0 1 1 at the beginning if the goal is up, 1 1 0 if it is down; 1 0 1 in the
    corridor; 0 1 0 at the junction.

    ## Rewards
    4 for the right turn at the junction, -0.1 for the wrong one; -0.1 for walking into a wall, 0
    for a step along the corridor. So 4 is the most.

    ## Episode End
    Terminated by a turn at the junction; truncated after 1,000 ticks (`max_episode_steps`).

    ## Information
    `is_success`, bool, in the last tick.

    ## Arguments
    `length`, steps from the beginning to the junction, at least 1; `render_mode`: `ansi`.

    ## References
    Bakker (2002), Reinforcement Learning with Long Short-Term Memory, section 4.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # Gymnasium's is an instance's
        "render_modes": ["ansi"],
        "render_fps": 4,
    }

    def __init__(self, length: int = 20, render_mode: str | None = None) -> None:
        """Make the maze.

        Raises:
            ValueError: a length below 1, or a render mode that there is not.
        """
        self.length = count_of("length", length)
        self.render_mode = known_mode(self, render_mode)
        self.observation_space = spaces.Box(0.0, 1.0, (3,), np.float32)
        self.action_space = spaces.Discrete(4)  # type: ignore[assignment]  # int, not np.int64
        self.goal_is_up, self.cell = False, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode at the sign, which is drawn anew."""
        super().reset(seed=seed)
        self.goal_is_up, self.cell = bool(self.np_random.integers(2)), 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take a step."""
        if not self.action_space.contains(action):
            raise ValueError(f"action: expected 0 to 3, got {action!r}")
        if self.cell == self.length and action in (UP, DOWN):
            right = (action == UP) == self.goal_is_up
            return self._observe(), 4.0 if right else -0.1, True, False, {"is_success": right}
        before = self.cell
        if action == FORWARD:
            self.cell = min(self.cell + 1, self.length)
        elif action == BACK:
            self.cell = max(self.cell - 1, 0)
        return self._observe(), 0.0 if self.cell != before else -0.1, False, False, {}

    def render(self) -> str | None:
        """The corridor in a line, the agent `@` in it, if the render mode asks for it."""
        line = ["."] * self.length + ["T"]
        line[0] = "^" if self.goal_is_up else "v"
        line[self.cell] = "@"
        return "".join(line) if self.render_mode else None

    def _observe(self) -> Observation:
        if self.cell == self.length:
            shown = JUNCTION
        else:
            shown = SIGNS[self.goal_is_up] if self.cell == 0 else CORRIDOR
        return np.array(shown, dtype=np.float32)
