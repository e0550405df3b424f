"""The one loop between a vector env and an agent: ticks, rollouts, whole episodes.

It hides the three autoreset modes. In NEXT_STEP a lane that ended spends one tick on its restart
(`valid` False there); in the two other modes the next tick belongs to the next episode already.
Hidden state, the chosen action and last reward are carried here, and nowhere else.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array
from numpy.typing import NDArray
from torch import Tensor

from sidestep.sequence import flatten_state, unflatten_state

from .agent import Policy
from .exploration import Actions
from .types import Inputs, Rollout, stack_inputs


class Tick(NamedTuple):
    """What one step of the env brought, (B,) each."""

    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    """False where the lane only restarted."""
    final_value: Tensor | None
    """The policy's value of the last observation where truncated, else 0; None: all 0."""


class Episodes(NamedTuple):
    """Episodes that ended in one tick, an entry each, in the order of their lanes."""

    lane: NDArray[np.int64]
    returns: NDArray[np.float64]
    """Sums of the env's own rewards."""
    length: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    success: NDArray[np.bool_] | None
    """None where the env does not tell."""
    collision: NDArray[np.bool_] | None


class Collector:
    """Plays `policy` in `env`.

    Args:
        env: any Gymnasium vector env with a known autoreset mode.
        policy: an agent, or anything with its `act`.
        greedy: act without exploration.
        reward_scale: rewards are multiplied by this in rollouts; finished episodes keep the env's.
        peek: gives the values of an episode's last observation where it was truncated; None: 0.

    Raises:
        ValueError: an env that does not tell its autoreset mode.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        policy: Policy,
        greedy: bool = False,
        reward_scale: float = 1.0,
        peek: Any = None,
    ) -> None:
        """Remember the parts; `begin` must follow."""
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ValueError(f"env: expected metadata['autoreset_mode'], got {mode!r}")
        self.env, self.policy, self.greedy, self.mode = env, policy, greedy, mode
        self.reward_scale, self.peek = reward_scale, peek
        self.num_envs = env.num_envs
        self.num_actions = int(env.single_action_space.n)  # type: ignore[attr-defined]
        self.finished: list[Episodes] = []

    @property
    def device(self) -> torch.device | str:
        """Where the policy's network lives."""
        return getattr(self.policy, "device", "cpu")

    def begin(self, seed: int | None = None) -> None:
        """Reset every lane and choose the first actions.

        Args:
            seed: lane i gets seed + i; None goes on with the env's own streams.
        """
        obs, info = self.env.reset(seed=seed)
        lanes = self.num_envs
        self.ended = np.zeros(lanes, dtype=np.bool_)
        self.total, self.length = np.zeros(lanes), np.zeros(lanes, dtype=np.int64)
        self.inputs = self._inputs(
            self.policy.encoder(obs, self.device),
            np.ones(lanes, dtype=np.bool_),
            np.zeros(lanes, dtype=np.int64),
            np.zeros(lanes),
            info,
        )
        self.state = self.policy.initial_state(lanes)
        self._choose()

    def tick(self) -> Tick:
        """Play the chosen actions, and choose the next ones."""
        last_value = None
        obs, reward, terminated, truncated, info = self.env.step(self.action)
        ended = terminated | truncated
        truncated = truncated & ~terminated
        if self.mode is AutoresetMode.NEXT_STEP:
            valid, restarted = ~self.ended, self.ended
        else:
            valid, restarted = np.ones_like(ended), ended
        self._count(reward, ended, truncated, valid, info)
        encode = self.policy.encoder
        final, final_info = None, info
        if self.mode is AutoresetMode.DISABLED and ended.any():
            final = encode(obs, self.device)
            obs, info = self.env.reset(options={"reset_mask": ended.copy()})
        encoded = encode(obs, self.device)
        if self.peek is not None and truncated.any():
            if self.mode is AutoresetMode.SAME_STEP:
                final = self._with_final_rows(encoded, final_info["final_obs"], ended)
            no_reset = np.zeros(self.num_envs, dtype=np.bool_)
            last = self._inputs(
                encoded if final is None else final, no_reset, self.action, reward, {}
            )
            values = self.peek(last, self.next_state)
            last_value = torch.where(torch.from_numpy(truncated).to(values.device), values, 0.0)
        self.inputs = self._inputs(encoded, restarted, self.action, reward, info)
        self.state, self.ended = self.next_state, ended
        self._choose()
        return Tick(reward, terminated, truncated, valid, last_value)

    def rollout(self, steps: int) -> Rollout:
        """T = `steps` ticks of every lane; the last chosen action opens the next rollout."""
        start, inputs, actions, ticks = self.state, [self.inputs], [self.action], []
        for _ in range(steps):
            ticks.append(self.tick())
            inputs.append(self.inputs)
            actions.append(self.action)
        return self._pack(inputs, actions, ticks, start)

    def episodes(self) -> Rollout:
        """One whole episode of every lane, from a reset; what follows an end is not `valid`."""
        self.begin()
        start, inputs, actions, ticks = self.state, [self.inputs], [self.action], []
        alive = np.ones(self.num_envs, dtype=np.bool_)
        while alive.any():
            tick = self.tick()
            ticks.append(
                tick._replace(
                    terminated=tick.terminated & alive,
                    truncated=tick.truncated & alive,
                    valid=alive.copy(),
                )
            )
            alive &= ~(tick.terminated | tick.truncated)
            inputs.append(self.inputs)
            actions.append(self.action)
        return self._pack(inputs, actions, ticks, start)

    def drain(self) -> list[Episodes]:
        """The episodes finished since the last call."""
        finished, self.finished = self.finished, []
        return finished

    def _choose(self) -> None:
        self.action, self.next_state = self.policy.act(self.inputs, self.state, self.greedy)

    def _inputs(
        self,
        encoded: Tensor,
        reset: NDArray[np.bool_],
        last_action: Actions,
        last_reward: NDArray[Any],
        info: dict[str, Any],
    ) -> Inputs:
        device = self.device
        scaled = torch.from_numpy((last_reward * self.reward_scale).astype(np.float32))
        return Inputs(
            encoded,
            torch.from_numpy(reset).to(device),
            torch.from_numpy(last_action).to(device),
            scaled.to(device),
            self._mask(info),
        )

    def _mask(self, info: dict[str, Any]) -> Tensor | None:
        """(B, A) bool from `info["action_mask"]`; lanes without one may do anything."""
        if "action_mask" not in info:
            return None
        mask = np.asarray(info["action_mask"], dtype=np.bool_)
        if mask.shape != (self.num_envs, self.num_actions):
            raise ValueError(
                f"action_mask: expected shape {(self.num_envs, self.num_actions)}, got {mask.shape}"
            )
        told = np.asarray(info.get("_action_mask", np.ones(self.num_envs, dtype=np.bool_)))
        free = ~told | ~mask.any(axis=1)
        return torch.from_numpy(mask | free[:, None]).to(self.device)

    def _with_final_rows(
        self, encoded: Tensor, final_obs: NDArray[Any], ended: NDArray[np.bool_]
    ) -> Tensor:
        """`encoded` with the last observation of the lanes that ended (SAME_STEP)."""
        rows = np.flatnonzero(ended)
        space = self.env.single_observation_space
        empty: Any = create_empty_array(space, len(rows))
        batch = concatenate(space, list(final_obs[rows]), empty)
        result = encoded.clone()
        result[torch.from_numpy(rows)] = self.policy.encoder(batch, self.device)
        return result

    def _count(
        self,
        reward: NDArray[Any],
        ended: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        valid: NDArray[np.bool_],
        info: dict[str, Any],
    ) -> None:
        self.total += reward * valid
        self.length += valid
        if not ended.any():
            return
        facts = info.get("final_info", info) if self.mode is AutoresetMode.SAME_STEP else info
        success, collision = facts.get("is_success"), facts.get("is_collision")
        lanes = np.flatnonzero(ended)
        self.finished.append(
            Episodes(
                lanes,
                self.total[lanes],
                self.length[lanes],
                truncated[lanes],
                None if success is None else success[lanes],
                None if collision is None else collision[lanes],
            )
        )
        self.total[lanes], self.length[lanes] = 0.0, 0

    def _pack(
        self, inputs: list[Inputs], actions: list[Actions], ticks: list[Tick], start: Any
    ) -> Rollout:
        def column(name: str) -> Tensor:
            rows = np.stack([getattr(tick, name) for tick in ticks])
            return torch.from_numpy(rows).to(self.device)

        reward = (column("reward") * self.reward_scale).float()
        with_masks = _same_masks(inputs, self.num_actions)
        nothing = torch.zeros(self.num_envs, device=self.device)
        values = [nothing if t.final_value is None else t.final_value for t in ticks]
        return Rollout(
            inputs=stack_inputs(with_masks),
            action=torch.from_numpy(np.stack(actions)).to(self.device),
            reward=reward,
            terminated=column("terminated"),
            truncated=column("truncated"),
            valid=column("valid"),
            final_value=torch.stack(values),
            state=start,
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Everything carried from tick to tick, as plain tensors."""
        state = {f"inputs.{k}": v for k, v in self.inputs._asdict().items() if v is not None}
        state |= {f"state.{k}": v for k, v in flatten_state(self.state).items()}
        state |= {f"next_state.{k}": v for k, v in flatten_state(self.next_state).items()}
        state["action"] = torch.from_numpy(self.action.copy())
        for name in ("ended", "total", "length"):
            state[name] = torch.from_numpy(getattr(self, name).copy())
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state_dict()`; the env must be restored beside it."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}

        self.inputs = Inputs(**under("inputs."))
        self.state = unflatten_state(under("state."))
        self.next_state = unflatten_state(under("next_state."))
        self.action = state["action"].numpy().copy()
        self.ended, self.total, self.length = (
            state[name].numpy().copy() for name in ("ended", "total", "length")
        )


def _same_masks(inputs: list[Inputs], num_actions: int) -> list[Inputs]:
    """All with a mask or all without: an env may send it on some ticks only."""
    if all(part.mask is None for part in inputs):
        return inputs
    free = torch.ones(
        (*inputs[0].reset.shape, num_actions), dtype=torch.bool, device=inputs[0].reset.device
    )
    return [part if part.mask is not None else part._replace(mask=free) for part in inputs]
