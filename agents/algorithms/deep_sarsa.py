"""Deep SARSA: on-policy temporal differences with a network, epsilon-greedy, many lanes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sidestep.agents.acting.batch import Inputs, Rollout, select_lanes
from sidestep.agents.acting.choosing import (
    Actions,
    Mask,
    Scores,
    epsilon_bouts,
    epsilon_greedy,
    linear,
    steps_of,
)
from sidestep.agents.acting.transfer import upload
from sidestep.agents.networks import Network
from sidestep.sequence.fitting.stored import Spec
from sidestep.sequence.limits import COUNT, PART, SHARE, check_fields, one_of

from .learner import Agent, LearnerConfig, Metrics
from .losses import chosen, expected_value, masked, value_error
from .parts import Part
from .returns import lambda_returns

FIRST_EPISODES = 32
"""How many of a training's first episodes say whether exploring has to go far."""


@dataclass(frozen=True)
class DeepSarsaConfig(LearnerConfig):
    """Deep SARSA's settings; the defaults cross the 5x5 world in seconds (docs/results.md)."""

    discount: float = 0.95
    """Gamma in [0, 1]."""
    learning_rate: float = 3e-3
    """Adam's step size at the first step."""
    final_learning_rate: float | None = 1e-4
    """And at the end of training, reached linearly; None keeps `learning_rate`."""
    rollout_steps: int = 4
    """Ticks of every lane between updates."""
    target: Literal["sarsa", "expected"] = "expected"
    """What follows a step: sarsa, the action played next; expected, its expectation."""
    loss: Literal["huber", "squared"] = "huber"
    """Of the temporal difference: huber, or squared (the textbook rule)."""
    epsilon_start: float = 1.0
    """Probability of a random action at the first step."""
    epsilon_end: float = 0.05
    """And when it has fallen, linearly."""
    epsilon_fraction: float = 0.2
    """Part of the training's steps over which it falls (0.2 after Gallici et al. 2024)."""
    epsilon_steps: int | None = None
    """Env steps over which it falls instead, however long training is; None: that part."""
    epsilon_repeat: float = 0.0
    """Probability that a random action is played once more, so that exploring goes far; 0: never
    (Dabney et al. 2021)."""
    repeat_where_cut: bool = False
    """Repeat only where most of a training's first 32 episodes are cut by their time limit: there
    a walk that draws anew each tick reaches nothing."""
    minibatches: int = 2
    """Parts, over lanes, into which a rollout is split."""
    epochs: int = 1
    """Times that a rollout is gone through."""

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        limits = {
            "target": one_of("sarsa", "expected"),
            "loss": one_of("huber", "squared"),
            "epsilon_start": SHARE,
            "epsilon_end": SHARE,
            "epsilon_fraction": SHARE,
            "epsilon_steps": COUNT,
            "epsilon_repeat": PART,
            "minibatches": COUNT,
            "epochs": COUNT,
        }
        check_fields(self, limits)

    def exploration_steps(self, total_steps: int) -> int:
        """Env steps over which epsilon falls in a training of `total_steps`."""
        return steps_of(self.epsilon_fraction, total_steps, self.epsilon_steps)


class DeepSarsa(Agent):
    """SARSA(lambda) in its forward view, over rollouts with fixed parameters.

    Source: Sutton & Barto (2018), sections 6.4, 6.6, 12.7; layer normalisation and many lanes in
    place of replay and a target network after Gallici et al. (2024).
    """

    name = "deep-sarsa"
    config: DeepSarsaConfig
    first_ends: tuple[int, int] = (0, 0)
    """How many of the first episodes have ended, and how many of those were cut."""

    @property
    def epsilon(self) -> float:
        """The present probability of a random action."""
        c = self.config
        falling = c.exploration_steps(self.total_steps)
        return linear(self.steps, c.epsilon_start, c.epsilon_end, falling)

    @property
    def repeat(self) -> float:
        """The present probability that a random action is played on."""
        ended, cut = self.first_ends
        near = self.config.repeat_where_cut and 2 * cut <= ended
        return 0.0 if near else self.config.epsilon_repeat

    def make_network(self) -> Network:
        """A head of A action values."""
        return Network(self.encoder.shape, self.num_actions, self.num_actions, self.config.network)

    def choose(self, output: Scores, mask: Mask | None, greedy: bool) -> Actions:
        """Epsilon-greedy; greedy in evaluation."""
        return epsilon_greedy(output, 0.0 if greedy else self.epsilon, self.random, mask)

    def draw(self, output: Scores, mask: Mask | None, greedy: bool, inputs: Inputs) -> Actions:
        """Epsilon-greedy; with `epsilon_repeat` a lane that explores plays its action on."""
        repeat, lanes = self.repeat, len(output)
        if greedy or repeat == 0:
            return self.choose(output, mask, greedy)
        in_bout = None
        if len(self.random.exploring) == lanes:
            in_bout = self.random.exploring & ~inputs.reset.numpy()
        last = inputs.last_action.numpy()
        actions, self.random.exploring = epsilon_bouts(
            output, self.epsilon, repeat, self.random, last, in_bout, mask
        )
        return actions

    def values(self, output: Tensor, mask: Tensor | None) -> Tensor:
        """The expected action value under the epsilon-greedy policy, without bouts."""
        return expected_value(output, self.epsilon, mask)

    def scores(self, output: Tensor, mask: Tensor | None) -> tuple[Tensor, bool]:
        """The action values."""
        return (output if mask is None else output.masked_fill(~mask, -torch.inf)), False

    def value(self, output: Tensor, mask: Tensor | None) -> Tensor:
        """The value of the best action that is allowed."""
        return masked(output, mask).amax(-1)

    def targets(self, rollout: Rollout, q: Tensor) -> Tensor:
        """What q_t[a_t] is drawn to, (T, B).

        Args:
            rollout: T ticks.
            q: (T+1, B, A) action values of o_0 .. o_T, without gradient.
        """
        mask = rollout.inputs.mask
        if self.config.target == "expected":
            v_tp1 = expected_value(q[1:], self.epsilon, None if mask is None else mask[1:])
        else:
            v_tp1 = chosen(q[1:], rollout.action[1:])
        # nothing was played after a cut: there the expectation stands, made when it happened
        v_tp1 = torch.where(rollout.truncated, rollout.final_value, v_tp1)
        return lambda_returns(
            rollout.reward,
            v_tp1,
            rollout.terminated,
            rollout.truncated,
            self.config.discount,
            self.config.trace_decay,
        )

    def update(self, rollout: Rollout, *others: Rollout) -> Metrics:
        """Go through the rollout `epochs` times in `minibatches`; one optimizer step for each.

        Args:
            rollout: of the only shard, or of the first.
            others: of this process's other shards.
        """
        rollouts = [rollout, *others]
        self._count_first_ends(rollouts)
        counts, features = [], list(map(self._features, rollouts))
        for epoch in range(self.config.epochs):
            for lanes in self._minibatches(rollouts, epoch):
                sums = self.step_down(map(self._part, rollouts, features, lanes))
                counts += [sums["count"]] if epoch == 0 else []
        known = self.read({**sums, "steps": sum(counts)})
        self.learned = int(known["steps"])
        return {
            "loss": known["loss"],
            "gradient_norm": known["gradient_norm"],
            "value": known["value"] / max(known["count"], 1),
            "epsilon": self.epsilon,
        }

    def _minibatches(self, rollouts: list[Rollout], epoch: int) -> Iterator[list[Tensor | None]]:
        """The rollouts' lanes in parts, each of which has as many of every shard; None: all."""
        lanes = [rollout.reward.shape[1] for rollout in rollouts]
        shards = self.ranks.lanes if self.ranks.shards > 1 else []
        parts = min([self.config.minibatches, *lanes, *(shard.size for shard in shards)])
        if parts == 1:
            yield [None for _ in rollouts]
            return
        drawn = [
            torch.from_numpy(draws.permutation(count, epoch))
            for draws, count in zip(self.draws, lanes, strict=True)
        ]
        orders = upload(drawn, self.device)
        yield from map(list, zip(*(order.tensor_split(parts) for order in orders), strict=True))

    def _count_first_ends(self, rollouts: list[Rollout]) -> None:
        ended, cut = self.first_ends
        if self.config.repeat_where_cut and ended < FIRST_EPISODES:
            told = [torch.stack([x.ended().sum(), x.truncated.sum()]) for x in rollouts]
            now, now_cut = self.ranks.summed(told).tolist()
            self.first_ends = ended + now, cut + now_cut

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that learning changes, and what exploring in bouts goes by."""
        return {**super().state_dict(), **self._bouts()}

    def _bouts(self) -> dict[str, Tensor]:
        """The lanes that are in one, and the first ends where those decide.

        Nothing where there are no bouts, as in saves of before there were.
        """
        if self.config.epsilon_repeat == 0:
            return {}
        bouts = {"exploring": torch.from_numpy(self.random.exploring.copy())}  # (lanes,) bool
        if self.config.repeat_where_cut:
            bouts["first_ends"] = torch.tensor(self.first_ends)
        return bouts

    def _stored(self, optimized: bool) -> dict[str, Tensor | Spec]:
        bouts = {name: Spec(like.dtype, (None,)) for name, like in self._bouts().items()}
        if "first_ends" in bouts:
            bouts["first_ends"] = Spec(torch.int64, (2,))
        return {**super()._stored(optimized), **bouts}

    def load_state_dict(self, state: dict[str, Tensor], learning: bool = True) -> None:
        """Restore `state_dict()`."""
        super().load_state_dict(state, learning)
        if learning and self.config.epsilon_repeat > 0:
            self.random.exploring = state["exploring"].numpy().copy()
            if self.config.repeat_where_cut:
                ended, cut = state["first_ends"].tolist()
                self.first_ends = ended, cut

    def _features(self, rollout: Rollout) -> Tensor | None:
        """What the encoder is given, (T+1, B, D); None where compiled code is not to run it."""
        ticks, lanes = rollout.inputs.reset.shape
        if type(self).targets is not DeepSarsa.targets:
            return None
        rows = ticks * -(-lanes // self.config.minibatches)
        return self.passes.features(rollout.inputs, rows)

    def _part(self, rollout: Rollout, features: Tensor | None, lanes: Tensor | None) -> Part:
        """What some lanes of a rollout, or all, add to a step down."""
        c, compiled = self.config, self.passes.compiled
        if features is not None and compiled is not None:
            by = (c.discount, c.trace_decay, c.target == "expected", c.loss == "huber")
            found = compiled.sarsa(features, rollout, lanes, by, self.epsilon)
            loss, value, count = map(torch.tensor, found)
            return Part(loss, count, {"value": value}, self.flat.grad)
        rollout = rollout if lanes is None else select_lanes(rollout, lanes)
        q, _ = self.network(rollout.inputs, rollout.state)  # (T+1, B, A)
        target = self.targets(rollout, q.detach())
        prediction = chosen(q[:-1], rollout.action[:-1])  # (T, B)
        count = rollout.valid.sum()
        loss = value_error(prediction, target, rollout.valid, c.loss)
        return Part(loss, count, {"value": (prediction.detach() * rollout.valid).sum()})
