"""The shards that a process has: their envs, and what is carried from tick to tick in each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from sidestep.agents.acting.batch import Episodes, Rollout
from sidestep.agents.acting.collector import Collector
from sidestep.agents.acting.normalization import RewardScaler
from sidestep.sequence.fitting.checkpoint import from_arrays, to_arrays
from sidestep.sequence.fitting.stored import Spec, check_tensors, under, within

from .learner import Agent
from .ranks import Ranks
from .seats import Seat

Env = VectorEnv[Any, Any, Any]


class Shards:
    """An agent in all lanes of a training that this process has.

    Args:
        agent: what acts and learns.
        envs: one for each of this process's shards, with its lanes.
        ranks: who has which shards.

    Attributes:
        collectors: one for each of this process's shards.

    Raises:
        ValueError: envs of other lanes, or a learner that learns from one shard only.
    """

    def __init__(self, agent: Agent, envs: Sequence[Env], ranks: Ranks) -> None:
        """Take the seats; `begin` must follow."""
        self.agent, self.envs, self.ranks = agent, list(envs), ranks
        self.seats: list[Seat] = []
        self.ended: list[list[list[Episodes]]] = [[] for _ in self.envs]
        """Of each shard, for each update since the last `drain`, the episodes finished."""
        agent.ranks, agent.draws = ranks, (agent.random,)
        if ranks.shards > 1:
            self._check(agent, envs)
            self.seats = [Seat(agent, lanes.first) for lanes in ranks.own_lanes]
            agent.draws = tuple(seat.random for seat in self.seats)
        seats: Sequence[Agent | Seat] = self.seats or [agent]
        self.collectors = [
            self._collector(seat, env) for seat, env in zip(seats, self.envs, strict=True)
        ]

    def _check(self, agent: Agent, envs: Sequence[Env]) -> None:
        if not agent.learns_from_shards:
            raise ValueError(
                f"shards: expected 1 for {agent.name}, whose update takes one rollout, "
                f"got {self.ranks.shards}"
            )
        expected = [lanes.size for lanes in self.ranks.own_lanes]
        got = [env.num_envs for env in envs]
        if expected != got:
            raise ValueError(f"envs: expected one a shard, of {expected} lanes, got {got}")

    def _collector(self, seat: Agent | Seat, env: Env) -> Collector:
        learner = self.agent.config
        scaler = RewardScaler(env.num_envs, learner.discount, seat.reward_moments)
        rewards = scaler if learner.normalize_rewards else None
        return Collector(env, seat, peek=seat.peek, rewards=rewards)

    @property
    def restorable(self) -> bool:
        """Whether the envs' states can be saved and restored, as this package's can."""
        return all(hasattr(env, "set_state") for env in self.envs)

    def begin(self, seed: int) -> None:
        """Begin the first episodes; lane i of all gets seed + i."""
        lanes = self.ranks.own_lanes if self.seats else [None]
        for shard, collector in zip(lanes, self.collectors, strict=True):
            self.agent.begin(collector, seed + (0 if shard is None else shard.first))
        self._agree()

    def collect(self) -> list[Rollout]:
        """What the next update learns from: a rollout from each of this process's shards."""
        rollouts = [self.agent.collect(collector) for collector in self.collectors]
        for ended, collector in zip(self.ended, self.collectors, strict=True):
            ended.append(collector.drain())
        self._agree()
        return rollouts

    def steps(self, rollouts: Sequence[Rollout]) -> int:
        """The env steps that an update has learned from, over all shards."""
        if not self.seats:
            return int(rollouts[0].valid.sum())
        if self.agent.learned is not None:  # it came with the gradient
            return self.agent.learned
        told = [rollout.valid.sum() for rollout in rollouts]
        return int(self.ranks.summed(told))

    def drain(self) -> list[Episodes]:
        """The episodes finished since the last call: update by update, and shard by shard in each.

        All processes call it at once.
        """
        ended, self.ended = self.ended, [[] for _ in self.collectors]
        updates = zip(*self.ranks.all_of(ended), strict=True)
        return [part for update in updates for parts in update for part in parts]

    def _agree(self) -> None:
        """Merge what the shards have counted since they last met, and go on from there."""
        if not self.seats:
            return
        agent, encoder = self.agent, self.agent.encoder
        if encoder.normalize:
            seen = [seat.seen.since for seat in self.seats]
            encoder.moments.merge(self.ranks.merged(seen))
        if agent.config.normalize_rewards:
            seen = [seat.reward_moments.since for seat in self.seats]
            agent.reward_moments.merge(self.ranks.merged(seen))
        if len(encoder.largest):
            largest = self.ranks.gather([seat.encoder.largest for seat in self.seats])
            encoder.largest = torch.stack(largest).amax(0)
        for seat in self.seats:
            seat.take()

    def state_dict(self) -> dict[str, Tensor]:
        """What is carried between ticks, of all shards; in other processes than the first: {}.

        Where there is one shard names begin with `collector.` and `env.`, else with
        `collector.0.` and so on.
        """
        parts = [self._state_of(number) for number in range(len(self.collectors))]
        self.agent.random.exploring = self._exploring()
        gathered = self.ranks.to_first(parts) or []
        names = [""] if self.ranks.shards == 1 else [f"{shard}." for shard in self._numbers()]
        return {
            f"{kind}.{name}{k}": v
            for name, part in zip(names, gathered, strict=False)
            for kind, values in part.items()
            for k, v in values.items()
        }

    def _numbers(self) -> range:
        return range(self.ranks.shards)

    def _state_of(self, number: int) -> dict[str, dict[str, Tensor]]:
        env: Any = self.envs[number]
        worlds = from_arrays(env.get_state()) if self.restorable else {}
        state = self.collectors[number].state_dict()
        if self.seats:
            state["tick"] = torch.tensor(self.seats[number].random.tick)
        return {"collector": state, "env": worlds}

    def _exploring(self) -> Any:
        """(lanes,) over all shards; empty where one of them does not know."""
        parts = self.ranks.all_of([draws.exploring for draws in self.agent.draws])
        known = all(len(part) for part in parts)
        return np.concatenate(parts) if known else parts[0][:0]

    def _stored(self, tensors: dict[str, Tensor], kind: str) -> list[dict[str, Tensor]]:
        """What a checkpoint holds of each of this process's shards."""
        if self.ranks.shards == 1:
            return [under(tensors, f"{kind}.")]
        return [under(tensors, f"{kind}.{shard}.") for shard in self.ranks.own]

    def check_state(self, tensors: dict[str, Tensor]) -> None:
        """Refuse what `load_state_dict` could not take.

        Raises:
            ValueError: a tensor is missing, too many, of another shape or type.
        """
        names = [""] if self.ranks.shards == 1 else [f"{shard}." for shard in self._numbers()]
        begins = tuple(f"{kind}.{name}" for kind in ("collector", "env") for name in names)
        check_tensors({}, {k: v for k, v in tensors.items() if not k.startswith(begins)})
        stored = self._stored(tensors, "collector")
        for collector, state in zip(self.collectors, stored, strict=True):
            if self.seats:
                tick = {k: state.pop(k) for k in ("tick",) if k in state}
                check_tensors({"tick": Spec(torch.int64, ())}, tick, "collector.")
                within(tick["tick"], "collector.tick", 0)
            collector.check_state(state, self.agent.whole_episodes)
        for env, state in zip(self.envs, self._stored(tensors, "env"), strict=True):
            own = from_arrays(env.get_state()) if self.restorable else {}  # type: ignore[attr-defined]
            check_tensors(own, state, "env.")

    def load_worlds(self, tensors: dict[str, Tensor]) -> None:
        """Put the envs back to where `state_dict()` saw them, if they can be."""
        for env, state in zip(self.envs, self._stored(tensors, "env"), strict=True):
            if self.restorable:
                env.set_state(to_arrays(state, env.get_state()))  # type: ignore[attr-defined]

    def take_seats(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what was loaded into the agent."""
        if not self.seats:
            return
        exploring, states = self.agent.random.exploring, self._stored(tensors, "collector")
        for seat, state, lanes in zip(self.seats, states, self.ranks.own_lanes, strict=True):
            seat.random.tick = int(state["tick"])
            seat.random.exploring = exploring[lanes.first : lanes.first + lanes.size].copy()
            seat.take()

    def load_collectors(self, tensors: dict[str, Tensor]) -> None:
        """Go on in the midst of the episodes."""
        stored = self._stored(tensors, "collector")
        for collector, state in zip(self.collectors, stored, strict=True):
            collector.load_state_dict(state)
