"""Small tasks with a known answer, as vector envs in a few numpy calls."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray


class Lanes(VectorEnv[Any, Any, Any]):
    """Shared part: ended lanes restart in the following step."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012
    single_observation_space: Any
    single_action_space: Any

    def __init__(self, lanes: int) -> None:
        self.num_envs = lanes
        self.observation_space = batch_space(self.single_observation_space, lanes)
        self.action_space = batch_space(self.single_action_space, lanes)
        self.tick = np.zeros(lanes, dtype=np.int64)
        self.ended = np.zeros(lanes, dtype=np.bool_)
        self.random = np.random.default_rng(0)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        if seed is not None:
            self.random = np.random.default_rng(seed)
        self.tick[:], self.ended[:] = 0, False
        self.begin(np.ones(self.num_envs, dtype=np.bool_))
        return self.observe(), {}

    def step(self, actions: Any) -> Any:
        restarts = self.ended
        reward, terminated, truncated = self.play(np.asarray(actions))
        self.tick = np.where(restarts, 0, self.tick + 1)
        self.begin(restarts)
        reward = np.where(restarts, 0.0, reward)
        terminated, truncated = terminated & ~restarts, truncated & ~restarts
        self.ended = terminated | truncated
        return self.observe(), reward, terminated, truncated, {}

    def begin(self, lanes: NDArray[np.bool_]) -> None:
        raise NotImplementedError

    def play(self, actions: NDArray[np.int64]) -> Any:
        raise NotImplementedError

    def observe(self) -> Any:
        raise NotImplementedError


class Identity(Lanes):
    """The observation is the right action: 1 for it, else 0; ten ticks."""

    single_observation_space = spaces.Discrete(5)
    single_action_space = spaces.Discrete(5)

    def begin(self, lanes: NDArray[np.bool_]) -> None:
        self.answer = self.random.integers(5, size=self.num_envs)

    def play(self, actions: NDArray[np.int64]) -> Any:
        cut = self.tick == 9
        return 1.0 * (actions == self.answer), np.zeros_like(cut), cut

    def observe(self) -> Any:
        return self.answer.copy()


class Chain(Lanes):
    """Two states; action 1 goes on, 0 stays; leaving the second brings 1 and ends, else -0.1."""

    single_observation_space = spaces.Discrete(2)
    single_action_space = spaces.Discrete(2)

    def __init__(self, lanes: int) -> None:
        self.state = np.zeros(lanes, dtype=np.int64)
        super().__init__(lanes)

    def begin(self, lanes: NDArray[np.bool_]) -> None:
        self.state = np.where(lanes, 0, self.state)

    def play(self, actions: NDArray[np.int64]) -> Any:
        over = (self.state == 1) & (actions == 1)
        self.state = np.where(over, 1, self.state | actions)
        return np.where(over, 1.0, -0.1), over, np.zeros_like(over)

    def observe(self) -> Any:
        return self.state.copy()


class Recall(Lanes):
    """A cue in the first observation; `length` ticks later that action brings 1, another -1."""

    single_observation_space = spaces.Box(0, 1, (4,), np.float32)
    single_action_space = spaces.Discrete(2)

    def __init__(self, lanes: int, length: int = 20) -> None:
        self.length = length
        self.cue = np.zeros(lanes, dtype=np.int64)
        super().__init__(lanes)

    def begin(self, lanes: NDArray[np.bool_]) -> None:
        self.cue = np.where(lanes, self.random.integers(2, size=self.num_envs), self.cue)

    def play(self, actions: NDArray[np.int64]) -> Any:
        over = self.tick == self.length
        reward = np.where(actions == self.cue, 1.0, -1.0) * over
        return reward, over, np.zeros_like(over)

    def observe(self) -> Any:
        obs = np.zeros((self.num_envs, 4), dtype=np.float32)
        first = self.tick == 0
        obs[first, self.cue[first]] = 1
        obs[:, 2], obs[:, 3] = self.tick == self.length, 1
        return obs
