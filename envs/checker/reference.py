"""What a vector env must return, said with single envs: the three autoreset modes, reset masks."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import iterate
from numpy.typing import NDArray

from .plays import LaneCall, Seeds


class Reference:
    """Single envs side by side, as a `Playable`: lane i with seed s is one with s + i.

    Args:
        make: makes one env; called `num_envs` times.
        num_envs: how many.
        mode: how lanes that ended begin again.
        action_space: of the vector env, to take its actions apart.
    """

    def __init__(
        self,
        make: Callable[[], gym.Env[Any, Any]],
        num_envs: int,
        mode: AutoresetMode,
        action_space: gym.Space[Any],
    ) -> None:
        """Make the envs."""
        self.envs = [make() for _ in range(num_envs)]
        self.num_envs, self.mode, self.action_space = num_envs, mode, action_space
        self.last: list[Any] = [None] * num_envs
        self.due = np.zeros(num_envs, dtype=np.bool_)
        """NEXT_STEP: lanes that ended, whose next step is a reset."""

    def reset(self, seed: Seeds, mask: NDArray[np.bool_] | None) -> list[LaneCall]:
        """Begin an episode in the lanes of the mask; the others keep what they show."""
        n = self.num_envs
        if seed is None:
            seed = [None] * n
        elif isinstance(seed, int):
            seed = [seed + lane for lane in range(n)]
        calls = []
        for lane, env in enumerate(self.envs):
            info: dict[str, Any] = {}
            if mask is None or mask[lane]:
                self.last[lane], info = env.reset(seed=seed[lane])
                self.due[lane] = False
            calls.append(LaneCall(self.last[lane], 0.0, False, False, info))
        return calls

    def step(self, actions: Any) -> list[LaneCall]:
        """Play one tick in every lane, and what the mode asks of lanes that ended."""
        calls = []
        for lane, action in enumerate(iterate(self.action_space, actions)):
            call = self._begin(lane) if self.due[lane] else self._tick(lane, action)
            self.last[lane] = call.obs
            self.due[lane] = call.ended and self.mode is AutoresetMode.NEXT_STEP
            calls.append(call)
        return calls

    def _begin(self, lane: int) -> LaneCall:
        obs, info = self.envs[lane].reset()
        return LaneCall(obs, 0.0, False, False, info)

    def _tick(self, lane: int, action: Any) -> LaneCall:
        obs, reward, terminated, truncated, info = self.envs[lane].step(action)
        call = LaneCall(obs, float(reward), bool(terminated), bool(truncated), info)
        if call.ended and self.mode is AutoresetMode.SAME_STEP:
            first, begun = self.envs[lane].reset()
            info = {**begun, "final_obs": obs, "final_info": info}
            return call._replace(obs=first, info=info)
        return call

    def close(self) -> None:
        """Close the envs."""
        for env in self.envs:
            env.close()
