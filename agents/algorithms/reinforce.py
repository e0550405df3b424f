"""REINFORCE: the policy gradient of whole episodes, or of rollouts with a bootstrapped cut."""

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from sidestep.agents.acting.batch import Rollout
from sidestep.agents.acting.choosing import (
    Actions,
    Mask,
    Scores,
    linear,
    sample_categorical,
    steps_of,
)
from sidestep.agents.acting.choosing import greedy as best
from sidestep.agents.acting.collector import Collector
from sidestep.agents.acting.normalization import RunningMoments
from sidestep.agents.networks import Network
from sidestep.agents.settings import Config
from sidestep.sequence.fitting.stored import Spec
from sidestep.sequence.limits import COUNT, NOT_NEGATIVE, SHARE, check_fields, one_of

from .learner import Agent, LearnerConfig, Metrics
from .losses import (
    Alive,
    alive_in,
    leave_one_out,
    masked,
    mean_of_others,
    policy_gradient,
    standardised,
    value_error,
)
from .parts import Part
from .returns import lambda_returns


class Seen(NamedTuple):
    """A rollout, and what the network makes of it now."""

    rollout: Rollout
    output: Tensor
    """(T+1, B, outputs)."""
    value: Tensor
    """(T+1, B), with its graph."""
    returns: Tensor
    """(T, B)."""


WHOLE_BATCH = ("mean", "time", "leave-one-out")
"""Baselines that are made of the whole batch."""
BASELINES = ("none", "mean", "time", "leave-one-out", "value")


@dataclass(frozen=True)
class ReinforceConfig(LearnerConfig):
    """REINFORCE's settings; the defaults cross the 5x5 world in seconds (docs/results.md)."""

    final_learning_rate: float | None = 3e-4
    """Adam's step size at the end of training, reached linearly; None keeps `learning_rate`."""
    trace_decay: float = 1.0
    """Lambda of the returns; 1 is REINFORCE, less leans on the value baseline."""
    batch: Literal["episodes", "rollout"] = "episodes"
    """What an update learns from: episodes, one whole episode a lane; rollout, `rollout_steps`
    ticks whose cut bootstraps from the value baseline."""
    baseline: Literal["none", "mean", "time", "leave-one-out", "value"] = "value"
    """Subtracted from returns: none, mean, time, leave-one-out or value."""
    normalize_advantages: bool = False
    """Standardise advantages over the batch (never inside one episode)."""
    discount_weighting: bool = False
    """Weigh step t with discount^t, as the textbook's pseudocode does; only for whole episodes."""
    entropy_start: float = 0.1
    """Coefficient of the entropy bonus at the first step."""
    entropy_end: float = 0.005
    """And when it has fallen, linearly."""
    entropy_fraction: float = 1.0
    """Part of the training's steps over which it falls."""
    entropy_steps: int | None = None
    """Env steps over which it falls instead, however long training is; None: that part."""
    value_coefficient: float = 0.5
    """Weight of the value baseline's error."""

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        limits = {
            "batch": one_of("episodes", "rollout"),
            "baseline": one_of(*BASELINES),
            "entropy_start": NOT_NEGATIVE,
            "entropy_end": NOT_NEGATIVE,
            "entropy_fraction": SHARE,
            "entropy_steps": COUNT,
            "value_coefficient": NOT_NEGATIVE,
        }
        check_fields(self, limits)
        if self.batch == "rollout" and self.baseline != "value":
            raise ValueError(
                "batch rollout: expected baseline value, from which its cut bootstraps, "
                f"got {self.baseline}, which goes with batch episodes and trace_decay 1"
            )
        if self.batch == "rollout" and self.discount_weighting:
            raise ValueError("discount_weighting: expected batch episodes, got rollout")
        if self.trace_decay < 1 and self.baseline != "value":
            raise ValueError(f"trace_decay below 1: expected baseline value, got {self.baseline}")

    def over(self, known: Config) -> Config:
        """Lay the given fields over `known`, whose rollouts give way where these do not allow them.

        A baseline other than the learned value, and the weighing by discount^t, are of whole
        episodes; unless told otherwise they are then what is learned from.
        """
        whole = self.baseline != "value" or self.discount_weighting
        if not whole or not isinstance(known, ReinforceConfig):
            return super().over(known)
        episodes: dict[str, Any] = {"batch": "episodes", "trace_decay": 1.0}
        free = {name: value for name, value in episodes.items() if name not in self.given}
        return super().over(replace(known, **free))

    def exploration_steps(self, total_steps: int) -> int:
        """Env steps over which the entropy bonus falls in a training of `total_steps`."""
        return steps_of(self.entropy_fraction, total_steps, self.entropy_steps)


class Reinforce(Agent):
    """The likelihood-ratio policy gradient with a baseline.

    The loss is the sum over steps divided by the number of episodes, so that long and short
    episodes weigh as they should (for rollouts: by the number of steps).

    Source: Williams (1992); Sutton & Barto (2018), sections 13.3 to 13.5.
    """

    name = "reinforce"
    config: ReinforceConfig
    time_decay = 0.9
    """How slowly the `time` baseline forgets earlier batches."""

    def make_network(self) -> Network:
        """A head of A logits, and one value if it is the baseline."""
        self.time_mean = torch.zeros(0)
        outputs = self.num_actions + (self.config.baseline == "value")
        return Network(
            self.encoder.shape, self.num_actions, outputs, self.config.network, output_scale=0.01
        )

    @property
    def whole_episodes(self) -> bool:
        """Whether `collect` plays whole episodes, each lane until its own is over."""
        return self.config.batch == "episodes"

    @property
    def entropy_coefficient(self) -> float:
        """The present weight of the entropy bonus."""
        c = self.config
        falling = c.exploration_steps(self.total_steps)
        return linear(self.steps, c.entropy_start, c.entropy_end, falling)

    def choose(self, output: Scores, mask: Mask | None, greedy: bool) -> Actions:
        """Draw from the policy; its mode where `greedy`."""
        logits = output[..., : self.num_actions]
        return best(logits, mask) if greedy else sample_categorical(logits, self.random, mask)

    def values(self, output: Tensor, mask: Tensor | None) -> Tensor:
        """The value baseline; 0 where there is none (a truncated return is then biased)."""
        del mask
        if self.config.baseline != "value":
            return torch.zeros_like(output[..., 0])
        return output[..., -1]

    def begin(self, collector: Collector, seed: int) -> None:
        """Seed the lanes; whole episodes begin anew with each batch."""
        collector.begin(seed, learned=self.config.batch != "episodes")

    def scores(self, output: Tensor, mask: Tensor | None) -> tuple[Tensor, bool]:
        """The policy's probabilities."""
        return masked(output[..., : self.num_actions], mask).softmax(-1), True

    def value(self, output: Tensor, mask: Tensor | None) -> Tensor | None:
        """The value baseline, if it is learned."""
        return self.values(output, mask) if self.config.baseline == "value" else None

    def collect(self, collector: Collector) -> Rollout:
        """Whole episodes, or a rollout; all its actions are drawn from the present policy."""
        if self.whole_episodes:
            return collector.episodes()
        collector.choose_again()  # the last update came after this action was chosen
        return super().collect(collector)

    def update(self, rollout: Rollout, *others: Rollout) -> Metrics:
        """One step up the policy gradient.

        Args:
            rollout: of the only shard, or of the first.
            others: of this process's other shards.
        """
        seen = [self._look_back(part) for part in (rollout, *others)]
        advantages = self.advantages(seen)
        known = self.read(self.step_down(map(self._part, seen, advantages)))
        self.learned = int(known["steps"])
        metrics: Metrics = {}
        if self.config.baseline == "value":  # after the step: it waits for a device
            metrics["explained_variance"] = self._explained_variance(seen)
        return {
            **metrics,
            "loss": known["loss"],
            "entropy": known["entropy"] / max(known["steps"], 1),
            "entropy_coefficient": self.entropy_coefficient,
            "gradient_norm": known["gradient_norm"],
        }

    def _look_back(self, rollout: Rollout) -> Seen:
        """What the network makes of a rollout now."""
        needed = None
        if self.config.batch == "episodes":  # what follows an end is padding
            valid = rollout.valid
            needed = torch.cat([valid, torch.zeros_like(valid[:1])])  # (T+1, B)
        output = self.passes.sequence(rollout.inputs, rollout.state, needed)  # (T+1, B, outputs)
        value = self.values(output, rollout.inputs.mask)  # (T+1, B)
        return Seen(rollout, output, value, self.returns(rollout, value.detach()))

    def _part(self, seen: Seen, advantage: Tensor) -> Part:
        """What a shard adds to the step, given its advantages (T, B)."""
        c, rollout = self.config, seen.rollout
        mask, valid = rollout.inputs.mask, rollout.valid
        output = seen.output[:-1, :, : self.num_actions]
        logits = masked(output, None if mask is None else mask[:-1])
        surrogate, entropy = policy_gradient(logits, rollout.action[:-1], advantage, valid)
        steps = valid.sum()
        count = steps if c.batch == "rollout" else rollout.ended().sum()
        loss = surrogate - self.entropy_coefficient * entropy
        if c.baseline == "value":
            error = value_error(seen.value[:-1], seen.returns, valid, "squared")
            loss = loss + c.value_coefficient * error
        return Part(loss, count, {"entropy": entropy, "steps": steps})

    def _explained_variance(self, seen: list[Seen]) -> float:
        if self.ranks.shards == 1:
            ((rollout, _, value, returns),) = seen
            return explained_variance(value.detach()[:-1], returns, rollout.valid)
        valid = [part.rollout.valid for part in seen]
        errors = [part.returns - part.value.detach()[:-1] for part in seen]
        target, error = (
            float(self.ranks.merged(list(map(_moments, numbers, valid))).square)
            for numbers in ([part.returns for part in seen], errors)
        )
        return 1 - error / target if target > 0 else float("nan")

    def returns(self, rollout: Rollout, value: Tensor) -> Tensor:
        """G_t (T, B); cut episodes and rollouts go on with the value baseline."""
        v_tp1 = torch.where(rollout.truncated, rollout.final_value, value[1:])
        return lambda_returns(
            rollout.reward,
            v_tp1,
            rollout.terminated,
            rollout.truncated,
            self.config.discount,
            self.config.trace_decay,
        )

    @torch.no_grad()
    def advantages(self, seen: list[Seen]) -> list[Tensor]:
        """Returns less the baseline, (T, B); standardised and weighted where the options say so.

        Args:
            seen: of this process's shards; what belongs to the whole batch is summed over all.
        """
        batch = self._alive(seen) if self.config.baseline in WHOLE_BATCH else None
        baselines = self._baselines(seen, batch)
        found = [part.returns - base for part, base in zip(seen, baselines, strict=True)]
        valid = [part.rollout.valid for part in seen]
        if self.config.normalize_advantages:
            whole = self._moments_of(found, valid) if self.ranks.shards > 1 else None
            found = [standardised(part, v, whole) for part, v in zip(found, valid, strict=True)]
        if self.config.discount_weighting:
            found = [part * self._weights(part) for part in found]
        return found

    def _baselines(self, seen: list[Seen], batch: Alive | None) -> list[Tensor | float]:
        """What is subtracted from the returns of each shard, (T, B) or less."""
        match self.config.baseline:
            case "mean":
                return [mean_of_others(x.returns, x.rollout.valid, batch) for x in seen]
            case "time":
                assert batch is not None
                means = self._earlier_means(batch)
                return [means[: len(x.returns)] for x in seen]
            case "leave-one-out":
                assert batch is not None
                cut = [Alive(*(sums[: len(x.returns)] for sums in batch)) for x in seen]
                return [
                    leave_one_out(x.returns, x.rollout.valid, own)
                    for x, own in zip(seen, cut, strict=True)
                ]
            case "value":
                return [x.value.detach()[:-1] for x in seen]
            case "none":
                return [0.0 for _ in seen]

    def _alive(self, seen: list[Seen]) -> Alive:
        """The sums over all episodes of the batch, as many ticks as the longest has."""
        sums = [torch.cat(alive_in(x.returns, x.rollout.valid), 1) for x in seen]  # (T, 2)
        return Alive(*torch.split(self.ranks.summed_over_ticks(sums), 1, 1))

    def _moments_of(self, parts: list[Tensor], valid: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Mean and deviation over all shards."""
        whole = self.ranks.merged([_moments(x, v) for x, v in zip(parts, valid, strict=True)])
        deviation = (whole.square / whole.count.clamp(min=1)).sqrt()
        mean, deviation = (x.to(parts[0]) for x in (whole.mean, deviation))
        return mean, deviation

    def _weights(self, returns: Tensor) -> Tensor:
        """discount^t, (T, 1)."""
        ticks = torch.arange(len(returns), device=returns.device)
        return (self.config.discount**ticks).unsqueeze(1)

    def _earlier_means(self, batch: Alive) -> Tensor:
        """(T, 1) the running mean of G_t over earlier batches; this batch is taken in afterwards.

        Not depending on this batch's actions, it leaves the gradient's expectation unchanged.
        """
        totals, counts = batch.returns.squeeze(1), batch.number.squeeze(1)
        steps, seen = len(totals), len(self.time_mean)
        mean = self.time_mean.to(totals.device)
        if seen < steps:
            mean = torch.cat([mean, mean.new_full((steps - seen,), float("nan"))])
        now = totals / counts.clamp(min=1)
        old, alive = mean[:steps], counts > 0
        mixed = torch.where(old.isnan(), now, self.time_decay * old + (1 - self.time_decay) * now)
        self.time_mean = torch.cat([torch.where(alive, mixed, old), mean[steps:]])
        return old.nan_to_num(0.0).unsqueeze(1)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that learning changes, the `time` baseline included."""
        return {**super().state_dict(), "time_mean": self.time_mean}

    def _stored(self, optimized: bool) -> dict[str, Tensor | Spec]:
        return {**super()._stored(optimized), "time_mean": Spec(torch.float32, (None,))}

    def load_state_dict(self, state: dict[str, Tensor], learning: bool = True) -> None:
        """Restore `state_dict()`."""
        super().load_state_dict(state, learning)
        if learning:
            self.time_mean = state["time_mean"].to(self.device).clone()


def explained_variance(value: Tensor, returns: Tensor, valid: Tensor) -> float:
    """1 - var(returns - value) / var(returns) over valid steps; 1 is a perfect baseline.

    NaN where the returns do not vary, or there are none.
    """
    target, error = returns[valid], (returns - value)[valid]
    if len(target) == 0:
        return float("nan")
    variance = target.var(correction=0)
    return float(1 - error.var(correction=0) / variance) if variance > 0 else float("nan")


def _moments(numbers: Tensor, valid: Tensor) -> RunningMoments:
    """Of the valid ones, on the CPU."""
    moments = RunningMoments(())
    moments.add(numbers[valid].cpu())
    return moments
