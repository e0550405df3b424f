"""The one loop between a vector env and an agent: ticks, rollouts, whole episodes.

It hides the three autoreset modes. In NEXT_STEP a lane that ended spends one tick on its restart
(`valid` False there); in the two other modes the next tick belongs to the next episode already.
Hidden state, the chosen action and last reward are carried here, and nowhere else.

Where the network lives on a device, a tick sends it one packed copy and waits for one, the answer
that actions are chosen by (two where a cut episode's last observation is looked at apart).
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array
from numpy.typing import NDArray
from torch import Tensor

from sidestep.agents.environments import MOST_TICKS, longest_episode
from sidestep.sequence import flatten_state, select_state, unflatten_state
from sidestep.sequence.fitting.stored import Spec, check_tensors, under, within

from .batch import (
    Episodes,
    Inputs,
    NotFinite,
    Rollout,
    map_inputs,
    merge_masks,
    same_masks,
    stack_inputs,
)
from .choosing import Actions
from .episodes import EpisodeCount
from .infos import as_columns, final_facts, read_mask
from .normalization import RewardScaler, shown_rewards
from .policy import Policy
from .transfer import upload

LARGEST = float(np.finfo(np.float32).max)
FEW = 0.75
"""Part of the lanes that are acted for; when no more are needed, the others' are dropped."""


class Tick(NamedTuple):
    """What one step of the env brought, (B,) each."""

    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    """False where the lane only restarted, or its episode was over: reward and ends are 0 there."""
    final_value: Tensor | None
    """The policy's value of the last observation where truncated, else 0; None: all 0."""


class Collector:
    """Plays `policy` in `env`.

    Args:
        env: any Gymnasium vector env with a known autoreset mode.
        policy: an agent, or anything with its `act`.
        greedy: act without exploration.
        rewards: takes in the rewards that are learned from, where the learner normalises them.
        peek: gives the values of an episode's last observation where it was truncated; None: 0.

    Raises:
        ValueError: an env that does not tell its autoreset mode.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        policy: Policy,
        greedy: bool = False,
        peek: Any = None,
        rewards: RewardScaler | None = None,
    ) -> None:
        """Remember the parts; `begin` must follow."""
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ValueError(f"env: expected metadata['autoreset_mode'], got {mode!r}")
        self.env, self.policy, self.greedy, self.mode = env, policy, greedy, mode
        self.peek, self.rewards = peek, rewards
        self.num_envs = env.num_envs
        self.num_actions = int(env.single_action_space.n)  # type: ignore[attr-defined]
        self.count = EpisodeCount(self.num_envs)

    def __repr__(self) -> str:
        """Name the env, its autoreset mode, and the policy."""
        return (
            f"Collector({type(self.env).__name__}, num_envs={self.num_envs}, "
            f"mode={self.mode.name}, policy={self.policy!r})"
        )

    @property
    def device(self) -> torch.device | str:
        """Where the policy's network lives."""
        return getattr(self.policy, "device", "cpu")

    def begin(self, seed: int | None = None, learned: bool = True) -> None:
        """Reset every lane and choose the first actions.

        Args:
            seed: lane i gets seed + i; None goes on with the env's own streams.
            learned: False where nobody learns from these episodes, as before `episodes`.

        Raises:
            NotFinite: observations that are NaN or infinite.
        """
        obs, info = self.env.reset(seed=seed)
        lanes = self.num_envs
        self.acting: NDArray[np.int64] | None = None  # lanes that the policy plays; None: all
        self.policy.random.lanes = None
        self.rows: Tensor | None = None  # those lanes, where the network is
        self.ended = np.zeros(lanes, dtype=np.bool_)
        self.count.begin()
        if self.rewards is not None:
            self.rewards.begin()
        self.action = np.zeros(lanes, dtype=np.int64)
        encoded = self.policy.encoder(obs, count=learned)
        self.mask = mask = self._mask(as_columns(info))
        self.inputs, _ = self._sent(encoded, np.ones(lanes, dtype=np.bool_), np.zeros(lanes), mask)
        self.state = self.policy.initial_state(lanes)
        self._choose()

    def tick(self, alive: NDArray[np.bool_] | None = None) -> Tick:
        """Play the chosen actions, and choose the next ones.

        Args:
            alive: (B,) lanes whose ticks are learned from; None: all.

        Raises:
            NotFinite: rewards or observations that are NaN or infinite, where somebody learns from
                them or acts on them.
        """
        obs, reward, terminated, truncated, told = self.env.step(self.action.copy())
        info = as_columns(told)
        terminated = np.array(terminated, dtype=np.bool_)  # the env may reuse its buffers
        truncated = np.array(truncated, dtype=np.bool_) & ~terminated
        everywhere = np.ones(self.num_envs, dtype=np.bool_)
        waits = self.mode is AutoresetMode.NEXT_STEP  # a lane that is over restarts a tick later
        played = ~self.ended if waits else everywhere
        over = (terminated | truncated) & played  # a restart ends nothing, whatever it says
        valid, restarted = played, self.ended if waits else over
        valid = valid if alive is None else valid & alive
        reward = self._rewards(reward, valid)
        ended, truncated = over & valid, truncated & valid
        self.count.add(reward, ended, truncated, valid, final_facts(info, info))
        if self.rewards is not None:
            self.rewards.count(*map(torch.from_numpy, (reward, ended, valid)))
        learned = ~over if waits else everywhere  # lanes that act on what comes now
        learned = learned if alive is None else learned & alive & ~ended
        encoded, mask, last = self._observe(obs, info, over, truncated, learned)
        self.mask, cut = mask, None if last is None else truncated
        self.inputs, there = self._sent(encoded, restarted, reward, mask, cut)
        final_value = None
        if last is not None and there is not None:
            final = self.inputs._replace(reset=torch.zeros_like(self.inputs.reset))
            if last[0] is not encoded:
                final, _ = self._sent(last[0], np.zeros_like(restarted), reward, last[1])
            final_value = self._peek(final, there)
        self.state, self.ended = self.next_state, over
        self.policy.random.tick += 1
        self._choose()
        return Tick(reward, terminated & valid, truncated, valid, final_value)

    def choose_again(self) -> None:
        """Choose this tick's actions anew, where the policy has changed since they were chosen."""
        self._choose()

    def rollout(self, steps: int) -> Rollout:
        """T = `steps` ticks of every lane; the last chosen action opens the next rollout."""
        start, inputs, actions, ticks = self.state, [self.inputs], [self.action], []
        for _ in range(steps):
            ticks.append(self.tick())
            inputs.append(self.inputs)
            actions.append(self.action)
        return self._pack(inputs, actions, ticks, start)

    def episodes(self) -> Rollout:
        """One whole episode of every lane, from a reset; what follows an end is not `valid`.

        Raises:
            ValueError: an episode that does not end, see `check_length`.
        """
        self.begin()
        start, inputs, actions, ticks = self.state, [self.inputs], [self.action], []
        alive = np.ones(self.num_envs, dtype=np.bool_)
        while alive.any():
            self._play_only(alive)
            tick = self.tick(alive)
            ticks.append(tick)
            alive = alive & ~(tick.terminated | tick.truncated)
            self.check_length(alive)
            inputs.append(self.inputs)
            actions.append(self.action)
        return self._pack(inputs, actions, ticks, start)

    def check_length(self, awaited: NDArray[np.bool_]) -> None:
        """Refuse to wait for ever for the episodes of some lanes.

        Args:
            awaited: (B,) whose present episode must end.

        Raises:
            ValueError: it has gone on for 10,000 ticks, or the longer limit that the env tells.
        """
        length = self.count.length * awaited
        if length.max() <= MOST_TICKS:
            return
        limit = longest_episode(self.env)
        if length.max() > limit:
            raise ValueError(
                f"env: expected every episode to end within {limit:,} ticks, got one of lane "
                f"{length.argmax()} that goes on; give the env a time limit, for instance "
                "gymnasium.wrappers.TimeLimit(env, max_episode_steps=1_000)"
            )

    def drain(self) -> list[Episodes]:
        """The episodes finished since the last call."""
        return self.count.drain()

    def _choose(self) -> None:
        inputs = self._of_acting(self.inputs)
        self.action, self.next_state = self.policy.act(inputs, self.state, self.greedy)
        if self.acting is not None:
            chosen = self.action
            self.action = np.zeros(self.num_envs, dtype=np.int64)
            if self.mask is not None:
                self.action = self.mask.numpy().argmax(-1)
            self.action[self.acting] = chosen

    def _of_acting(self, inputs: Inputs) -> Inputs:
        rows = self.rows
        return inputs if rows is None else map_inputs(inputs, lambda x: x.index_select(0, rows))

    def _play_only(self, lanes: NDArray[np.bool_]) -> None:
        """Drop the others' memories once `lanes` (B,) are few: they are played by rote until reset.

        It makes the ticks cheap in which the longest episodes of a batch go on alone.
        """
        acting = np.arange(self.num_envs) if self.acting is None else self.acting
        if lanes.sum() > FEW * len(acting):
            return
        self.acting = self.policy.random.lanes = np.flatnonzero(lanes)
        indices = map(torch.from_numpy, (np.flatnonzero(lanes[acting]), self.acting))
        kept, self.rows = upload(list(indices), self.device)
        self.next_state = select_state(self.next_state, kept)

    def _rewards(self, reward: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The rewards (B,) that are learned from, else 0: what a restart brings means nothing."""
        reward = np.where(valid, reward, 0.0)
        fits = np.abs(reward) <= LARGEST
        if not fits.all():
            lane = int(fits.argmin())
            raise NotFinite(
                f"reward of lane {lane}: expected a finite number of float32, got {reward[lane]} "
                f"at tick {self.count.length[lane] + 1} of an episode"
            )
        return reward

    def _observe(
        self,
        obs: Any,
        info: dict[str, Any],
        over: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        learned: NDArray[np.bool_],
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, Tensor | None] | None]:
        """Observations and mask to act on, and those at the ends of cut episodes, if needed."""
        encoder, mask = self.policy.encoder, self._mask(info)
        peeks = self.peek is not None and bool(truncated.any())
        last, used = None, learned
        if peeks and self.mode is AutoresetMode.NEXT_STEP:
            used = learned | truncated
        elif peeks and self.mode is AutoresetMode.SAME_STEP:
            last = self._final_obs(info["final_obs"], truncated), self._mask(final_facts(info, {}))
        elif peeks:  # before the reset, which may write into the same arrays
            last = encoder(obs, count=False, used=truncated), mask
        if self.mode is AutoresetMode.DISABLED and over.any():
            obs, begun = self.env.reset(options={"reset_mask": over.copy()})
            mask = merge_masks(self._mask(as_columns(begun)), mask, over)
        encoded = encoder(obs, count=learned, used=used)
        if peeks and self.mode is AutoresetMode.NEXT_STEP:
            last = encoded, mask
        return encoded, mask, last

    def _peek(self, inputs: Inputs, truncated: Tensor) -> Tensor:
        """The values (B,) of the episodes' last observations where truncated, else 0."""
        values: Tensor = self.peek(self._of_acting(inputs), self.next_state)
        if self.rows is not None:
            values = values.new_zeros(self.num_envs).index_copy(0, self.rows, values)
        return values.masked_fill(~truncated, 0.0)

    def _scaled(self, reward: NDArray[Any]) -> Tensor:
        limit = getattr(self.policy, "reward_limit", None)
        return shown_rewards(reward, self.policy.reward_scale, limit)

    def _sent(
        self,
        encoded: Tensor,
        reset: NDArray[np.bool_],
        reward: NDArray[Any],
        mask: Tensor | None,
        truncated: NDArray[np.bool_] | None = None,
    ) -> tuple[Inputs, Tensor | None]:
        """What the network is given, where it lives; `truncated` with it, if it is asked for."""
        begun, action = torch.from_numpy(reset), torch.from_numpy(self.action)
        inputs = Inputs(encoded, begun, action, self._scaled(reward), mask)
        parts = [*inputs, None if truncated is None else torch.from_numpy(truncated)]
        there = iter(upload([part for part in parts if part is not None], self.device))
        *sent, cut = [None if part is None else next(there) for part in parts]
        return Inputs._make(sent), cut

    def _mask(self, info: dict[str, Any]) -> Tensor | None:
        """(B, A) bool from `info["action_mask"]`; lanes without one may do anything."""
        mask = read_mask(info, self.num_envs, self.num_actions)
        return None if mask is None else torch.from_numpy(mask)

    def _final_obs(self, final_obs: NDArray[Any], truncated: NDArray[np.bool_]) -> Tensor:
        """The last observations of the episodes that were cut (SAME_STEP); 0 in other lanes."""
        encoder, space = self.policy.encoder, self.env.single_observation_space
        rows = np.flatnonzero(truncated)
        empty: Any = create_empty_array(space, len(rows))
        batch = concatenate(space, [final_obs[row] for row in rows], empty)
        result = torch.zeros(self.num_envs, *encoder.shape)
        result[torch.from_numpy(rows)] = encoder(batch, count=False)
        return result

    def _pack(
        self, inputs: list[Inputs], actions: list[Actions], ticks: list[Tick], start: Any
    ) -> Rollout:
        def column(name: str) -> Tensor:
            return torch.from_numpy(np.stack([getattr(tick, name) for tick in ticks]))

        columns = [
            torch.from_numpy(np.stack(actions)),
            self._scaled(np.stack([tick.reward for tick in ticks])),
            *map(column, ("terminated", "truncated", "valid")),
        ]
        with_masks = same_masks(inputs, self.num_actions)
        nothing = torch.zeros(self.num_envs, device=self.device)
        values = [nothing if t.final_value is None else t.final_value for t in ticks]
        sent = upload(columns, self.device)
        return Rollout._make([stack_inputs(with_masks), *sent, torch.stack(values), start])

    def state_dict(self) -> dict[str, Tensor]:
        """Everything carried from tick to tick, as plain tensors."""
        state = {f"inputs.{k}": v for k, v in self.inputs._asdict().items() if v is not None}
        state |= {f"state.{k}": v for k, v in flatten_state(self.state).items()}
        state |= {f"next_state.{k}": v for k, v in flatten_state(self.next_state).items()}
        if self.rewards is not None:
            state["running_return"] = self.rewards.running
        state["action"] = torch.from_numpy(self.action.copy())
        state["ended"] = torch.from_numpy(self.ended.copy())
        return {**state, **self.count.state_dict()}

    def check_state(self, state: dict[str, Tensor], whole_episodes: bool = False) -> None:
        """Refuse what `load_state_dict` could not take.

        Args:
            state: of another collector.
            whole_episodes: lanes that have ended may be left out of the memory.

        Raises:
            ValueError: a tensor is missing, too many, of another shape or type, or holds an action
                that there is not.
        """
        memory = ("state.", "next_state.")
        own: dict[str, Tensor | Spec] = {
            k: v for k, v in self.state_dict().items() if not k.startswith((*memory, "inputs.mask"))
        }
        if "inputs.mask" in state:
            own["inputs.mask"] = Spec(torch.bool, (self.num_envs, self.num_actions))
        cleared = flatten_state(self.policy.initial_state(1))
        for part in memory:
            rows = self.num_envs
            if whole_episodes:  # those that have ended may be left out
                found = [v.shape[1] for k, v in state.items() if k.startswith(part) and v.dim() > 1]
                rows = min([rows, *found])
            for name, leaf in cleared.items():
                shape = (leaf.shape[0], rows, *leaf.shape[2:]) if leaf.dim() > 1 else leaf.shape
                own[part + name] = Spec(leaf.dtype, tuple(shape))
        check_tensors(own, state, "collector.")
        for name in ("action", "inputs.last_action"):
            within(state[name], f"collector.{name}", 0, self.num_actions - 1)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state_dict()`; the env must be restored beside it.

        What the network is given goes to the policy's device, wherever it was saved.
        """

        def there(prefix: str) -> dict[str, Tensor]:
            return {name: leaf.to(self.device) for name, leaf in under(state, prefix).items()}

        self.inputs, self.mask = Inputs(**there("inputs.")), state.get("inputs.mask")
        self.state = unflatten_state(there("state."))
        self.next_state = unflatten_state(there("next_state."))
        self.action = state["action"].numpy().copy()
        if self.rewards is not None:
            self.rewards.running = state["running_return"].clone()
        self.ended = state["ended"].numpy().copy()
        self.count.load_state_dict(state)
