"""A cue in the first tick, a question many ticks later: bsuite's `memory_len`."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Observation = NDArray[np.float32]


class CueEnv(gym.Env[Observation, int]):
    """Remember for `delay` ticks which of two cues was shown.

    ## Action Space
    Discrete(2): the answer, of which only the last counts: 0 for the cue -1, 1 for the cue 1.

    ## Observation Space
    Box, float32 (3,): the cue, -1 or 1 in the first tick and 0 in all others; the part of the delay
    that is left; and 1 in the last tick, the one that asks.

    ## Rewards
    1 for the right answer, -1 for the wrong one, 0 in all ticks before.

    ## Episode End
    Terminated by the answer, after delay + 1 ticks; truncated after 1,000 (`max_episode_steps`).

    ## Information
    `is_success`, bool, in the last tick.

    ## Arguments
    `delay`, ticks between cue and question, at least 1; `render_mode`: `ansi`.

    ## References
    Osband et al. (2020), Behaviour Suite for Reinforcement Learning, `memory_len`.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # Gymnasium's is an instance's
        "render_modes": ["ansi"],
        "render_fps": 4,
    }

    def __init__(self, delay: int = 10, render_mode: str | None = None) -> None:
        """Make the task.

        Raises:
            ValueError: a delay below 1, or a render mode that there is not.
        """
        self.delay = count_of("delay", delay)
        self.render_mode = known_mode(self, render_mode)
        self.observation_space = spaces.Box(-1.0, 1.0, (3,), np.float32)
        self.action_space = spaces.Discrete(2)  # type: ignore[assignment]  # int, not np.int64
        self.cue, self.tick = 0, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode with a cue that is drawn anew."""
        super().reset(seed=seed)
        self.cue, self.tick = 2 * int(self.np_random.integers(2)) - 1, 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play a tick; in the last one `action` is the answer."""
        if not self.action_space.contains(action):
            raise ValueError(f"action: expected 0 or 1, got {action!r}")
        if self.tick < self.delay:
            self.tick += 1
            return self._observe(), 0.0, False, False, {}
        right = 2 * int(action) - 1 == self.cue
        return self._observe(), 1.0 if right else -1.0, True, False, {"is_success": right}

    def render(self) -> str | None:
        """The tick in a line, if the render mode asks for it."""
        shown = f"{self.cue:+d}" if self.tick == 0 else "?" if self.tick == self.delay else "."
        return f"tick {self.tick} of {self.delay}: {shown}" if self.render_mode else None

    def _observe(self) -> Observation:
        cue = self.cue if self.tick == 0 else 0
        asked = self.tick == self.delay
        return np.array([cue, 1 - self.tick / self.delay, asked], dtype=np.float32)


def count_of(name: str, value: Any) -> int:
    """The value, if it is a whole number of at least 1.

    Raises:
        ValueError: it is not.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(f"{name}: expected a whole number of at least 1, got {value!r}")
    return int(value)


def known_mode(env: gym.Env[Any, Any], mode: str | None) -> str | None:
    """The render mode, if `env` has it.

    Raises:
        ValueError: it has not.
    """
    modes = env.metadata["render_modes"]
    if mode is not None and mode not in modes:
        raise ValueError(f"render_mode: expected None or one of {', '.join(modes)}, got {mode!r}")
    return mode
