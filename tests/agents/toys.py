"""A scripted world whose every number is known, alone and as vector env; a policy that remembers.

Lane `lane`, episode k: LENGTHS[(lane + k) % 4] ticks; its end is a time limit where lane + k is
odd, else the task's; the reward of tick n is n + 10 * action + lane / 2. One of the three actions
is forbidden at each tick.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from sidestep.agents.acting.batch import Inputs, Rollout
from sidestep.agents.acting.draws import Draws
from sidestep.agents.acting.encoding import ObservationEncoder

LENGTHS = (3, 1, 5, 2)
LANES = 5
MODES = tuple(AutoresetMode)

Rows = list[dict[str, Any]]


def length_of(lane: int, episode: int) -> int:
    return LENGTHS[(lane + episode) % 4]


def is_cut(lane: int, episode: int) -> bool:
    return (lane + episode) % 2 == 1


def forbidden(lane: int, episode: int, tick: int) -> int:
    return (lane + 2 * episode + tick) % 3


class Scripted(gym.Env[Any, Any]):
    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self, lane: int, masks: bool = True) -> None:
        self.lane, self.masks, self.episode, self.tick = lane, masks, -1, 0
        self.strict = masks  # whether a forbidden action is an error
        self.played: dict[tuple[int, int], int] = {}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.episode = 0 if seed is not None else self.episode + 1
        self.tick = 0
        return self._obs(), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert not self.strict or action != forbidden(self.lane, self.episode, self.tick)
        self.played[self.episode, self.tick] = int(action)
        self.tick += 1
        reward = self.tick + 10.0 * int(action) + self.lane / 2
        last = self.tick == length_of(self.lane, self.episode)
        cut = is_cut(self.lane, self.episode)
        info = self._info()
        if last:
            info |= {"is_success": self.episode % 3 == 0, "is_collision": self.episode % 3 == 1}
        return self._obs(), reward, last and not cut, last and cut, info

    def _obs(self) -> Any:
        return np.array([self.lane, self.episode, self.tick], dtype=np.float32)

    def _info(self) -> dict[str, Any]:
        allowed = np.ones(3, dtype=np.bool_)
        allowed[forbidden(self.lane, self.episode, self.tick)] = False
        return {"action_mask": allowed} if self.masks else {}


class Native(VectorEnv[Any, Any, Any]):
    """The same worlds as a vector env of its own; the tick of a restart brings nonsense rewards."""

    def __init__(self, mode: AutoresetMode, lanes: int = LANES, masks: bool = True) -> None:
        self.metadata = {"autoreset_mode": mode}  # type: ignore[misc]
        self.mode, self.num_envs = mode, lanes
        self.envs = [Scripted(lane, masks) for lane in range(lanes)]
        self.single_observation_space = Scripted.observation_space
        self.single_action_space = Scripted.action_space
        self.observation_space = batch_space(self.single_observation_space, lanes)
        self.action_space = batch_space(self.single_action_space, lanes)
        self.ended = np.zeros(lanes, dtype=np.bool_)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        chosen = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
        infos: list[dict[str, Any]] = [{} for _ in self.envs]
        for lane in np.flatnonzero(chosen):
            _, infos[lane] = self.envs[lane].reset(seed=None if seed is None else seed + int(lane))
        self.ended = self.ended & ~chosen
        return self._observe(), self._gather(infos)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        reward, flags = np.full(self.num_envs, 99.0), np.zeros((2, self.num_envs), dtype=np.bool_)
        infos: list[dict[str, Any]] = [{} for _ in self.envs]
        final_obs = np.full(self.num_envs, None, dtype=object)
        final: list[dict[str, Any]] = [{} for _ in self.envs]
        assert self.mode is not AutoresetMode.DISABLED or not self.ended.any()
        for i, env in enumerate(self.envs):
            if self.mode is AutoresetMode.NEXT_STEP and self.ended[i]:
                _, infos[i] = env.reset()
                continue
            obs, reward[i], flags[0, i], flags[1, i], infos[i] = env.step(actions[i])
            if self.mode is AutoresetMode.SAME_STEP and flags[:, i].any():
                final_obs[i], final[i] = obs, infos[i]
                _, infos[i] = env.reset()
        self.ended = flags.any(0)
        info = self._gather(infos)
        if self.mode is AutoresetMode.SAME_STEP and self.ended.any():
            info |= {"final_obs": final_obs, "_final_obs": self.ended.copy()}
            info |= {"final_info": self._gather(final), "_final_info": self.ended.copy()}
        return self._observe(), reward, flags[0].copy(), flags[1].copy(), info

    def _observe(self) -> Any:
        return np.stack([env._obs() for env in self.envs])

    def _gather(self, infos: list[dict[str, Any]]) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for i, part in enumerate(infos):
            info = self._add_info(info, part, i)
        return info


def synchronous(mode: AutoresetMode, lanes: int = LANES, masks: bool = True) -> SyncVectorEnv:
    makers = [lambda lane=lane: Scripted(lane, masks) for lane in range(lanes)]
    return SyncVectorEnv(makers, autoreset_mode=mode)


class Counting:
    """Plays by a fixed rule from all that it is shown; its state sums what it saw this episode."""

    device = "cpu"

    def __init__(self, reward_scale: float = 1.0) -> None:
        self.encoder = ObservationEncoder(Scripted.observation_space)
        self.random = Draws(0)
        self.reward_scale = reward_scale
        self.shown: list[Inputs] = []

    def initial_state(self, batch: int) -> Tensor:
        return torch.zeros(1, batch, 1)

    def score(self, inputs: Inputs, state: Tensor) -> Tensor:
        """(B,) a number of everything that was shown."""
        state = self.advance(inputs, state)
        begun = inputs.reset
        parts = inputs.obs @ torch.tensor([1.0, 10.0, 100.0]) + 7 * state[0, :, 0]
        parts = parts + 3 * inputs.last_action * ~begun + inputs.last_reward * ~begun
        if inputs.mask is not None:
            parts = parts + inputs.mask.float() @ torch.tensor([0.25, 0.5, 0.125])
        return parts

    def advance(self, inputs: Inputs, state: Tensor) -> Tensor:
        kept = state.masked_fill(inputs.reset.view(1, -1, 1), 0)
        return kept + inputs.obs.sum(-1).view(1, -1, 1) + 1

    def act(self, inputs: Inputs, state: Tensor, greedy: bool) -> tuple[Any, Tensor]:
        self.shown.append(inputs)
        wish = self.score(inputs, state).double().mul(8).long().remainder(3).numpy()
        if inputs.mask is not None:
            allowed = inputs.mask.numpy()
            taken = allowed[np.arange(len(wish)), wish]
            wish = np.where(taken, wish, allowed.argmax(1))
        return wish.astype(np.int64), self.advance(inputs, state)

    def peek(self, inputs: Inputs, state: Tensor) -> Tensor:
        assert not inputs.reset.any()
        return self.score(inputs, state)


def rows_of(rollout: Rollout, lane: int) -> Rows:
    """The played ticks of one lane; what is ignored at a reset is left out."""
    inputs, rows = rollout.inputs, []
    for t in np.flatnonzero(rollout.valid[:, lane].numpy()):
        begun = bool(inputs.reset[t, lane])
        row = {
            "obs": inputs.obs[t, lane].tolist(),
            "reset": begun,
            "last_action": None if begun else int(inputs.last_action[t, lane]),
            "last_reward": None if begun else float(inputs.last_reward[t, lane]),
            "mask": None if inputs.mask is None else inputs.mask[t, lane].tolist(),
            "action": int(rollout.action[t, lane]),
        }
        for name in ("reward", "terminated", "truncated", "final_value"):
            row[name] = getattr(rollout, name)[t, lane].item()
        rows.append(row)
    return rows
