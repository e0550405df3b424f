"""The native vector env as Stable-Baselines3 takes one; needs stable-baselines3."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv


class NativeVecEnv(VecEnv):  # type: ignore[misc]  # untyped base
    """Lanes of one array in the place of DummyVecEnv's loop over single envs.

    Episodes begin again in the step that ends them, as Stable-Baselines3 has it; the last
    observation stands in the lane's info.
    """

    def __init__(self, env_id: str, num_envs: int, seed: int) -> None:
        """Make the env; `seed` is that of its first reset."""
        self.env: Any = gym.make_vec(env_id, num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
        self._seed: int | None = seed
        self._actions = np.zeros(num_envs, dtype=np.int64)
        super().__init__(num_envs, self.env.single_observation_space, self.env.single_action_space)

    def reset(self) -> NDArray[Any]:
        """Begin all episodes: observations (lanes, ...)."""
        obs, _ = self.env.reset(seed=self._seed)
        self._seed = None
        return np.asarray(obs)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions (lanes,) of the next tick."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], list[dict[str, Any]]]:
        """Play it: observations, rewards, which lanes ended, and an info for each lane."""
        obs, reward, terminated, truncated, info = self.env.step(self._actions)
        over = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for lane in np.flatnonzero(over):
            infos[lane] = {
                "terminal_observation": info["final_obs"][lane],
                "TimeLimit.truncated": bool(truncated[lane] and not terminated[lane]),
            }
        return obs, reward, over, infos

    def close(self) -> None:
        """End the env."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Read one attribute for every lane."""
        return [getattr(self.env, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: lanes have no attributes of their own here."""
        raise NotImplementedError("set_attr: lanes have no attributes of their own")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **words: Any) -> Any:
        """Refuse, likewise."""
        raise NotImplementedError("env_method: lanes have no methods of their own")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Say that no lane has a wrapper."""
        return [False] * self.num_envs
