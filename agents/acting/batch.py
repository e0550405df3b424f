"""What passes between the world and a learner. Time-major; [T] or [T+1] says how many ticks."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sidestep.sequence import State, select_state


class NotFinite(FloatingPointError, ValueError):
    """A reward or an observation is NaN or infinite."""


class Inputs(NamedTuple):
    """What an agent sees at o_t: one tick (B, ...) or a sequence (T, B, ...)."""

    obs: Tensor
    """(..., B, *shape) float32, as `ObservationEncoder` makes it."""
    reset: Tensor
    """(..., B) bool, True where o_t begins an episode: what was remembered is cleared first."""
    last_action: Tensor
    """(..., B) int64, a_{t-1}; ignored where `reset`."""
    last_reward: Tensor
    """(..., B) float32, r_t, which came with o_t; ignored where `reset`."""
    mask: Tensor | None = None
    """(..., B, A) bool, True where an action is allowed; None: all are."""


class Rollout(NamedTuple):
    """T ticks of B lanes, played with fixed parameters."""

    inputs: Inputs
    """[T+1] o_0 .. o_T."""
    action: Tensor
    """(T+1, B) a_0 .. a_T; a_T is chosen but not played yet."""
    reward: Tensor
    """(T, B) r_{t+1}, what a_t brought."""
    terminated: Tensor
    """(T, B) bool, the task ended with a_t."""
    truncated: Tensor
    """(T, B) bool, a time limit cut the episode after a_t; False where `terminated`."""
    valid: Tensor
    """(T, B) bool, False where nothing was played: a lane that restarted, or padding."""
    final_value: Tensor
    """(T, B) the learner's value of the last observation where `truncated`, else 0."""
    state: State
    """The memory's state before o_0."""

    def ended(self) -> Tensor:
        """(T, B) bool, the episode's last tick."""
        return self.terminated | self.truncated


class Episodes(NamedTuple):
    """Episodes that ended in one tick, an entry each, in the order of their lanes."""

    lane: NDArray[np.int64]
    returns: NDArray[np.float64]
    """Sums of the env's own rewards."""
    length: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    success: NDArray[np.bool_] | None
    """None where no lane told it with this tick; False where another one did."""
    collision: NDArray[np.bool_] | None
    """Likewise."""

    def select(self, chosen: NDArray[np.bool_]) -> "Episodes":
        """Some of them."""
        return Episodes._make(None if column is None else column[chosen] for column in self)


def map_inputs(inputs: Inputs, function: Any) -> Inputs:
    """Apply `function` to every tensor of `inputs`."""
    return Inputs._make(None if part is None else function(part) for part in inputs)


def select_lanes(rollout: Rollout, lanes: Tensor) -> Rollout:
    """The rollout of some lanes only; minibatches are over lanes, never over time."""

    def take(x: Tensor) -> Tensor:
        return x.index_select(1, lanes)

    columns = [take(part) for part in rollout[1:-1]]
    state = select_state(rollout.state, lanes)
    return Rollout._make([map_inputs(rollout.inputs, take), *columns, state])


def stack_inputs(parts: list[Inputs]) -> Inputs:
    """One sequence from ticks."""
    columns = zip(*parts, strict=True)
    return Inputs._make(None if c[0] is None else torch.stack(c) for c in columns)


def merge_masks(
    begun: Tensor | None, mask: Tensor | None, ended: NDArray[np.bool_]
) -> Tensor | None:
    """The mask `begun` in the lanes that ended and restarted, `mask` in the others."""
    if begun is None and mask is None:
        return None
    some = mask if begun is None else begun
    assert some is not None
    free = torch.ones_like(some)
    rows = torch.from_numpy(ended).to(some.device).unsqueeze(1)
    return torch.where(rows, free if begun is None else begun, free if mask is None else mask)


def same_masks(inputs: list[Inputs], num_actions: int) -> list[Inputs]:
    """All with a mask or all without: an env may send it on some ticks only."""
    if all(part.mask is None for part in inputs):
        return inputs
    free = torch.ones(
        (*inputs[0].reset.shape, num_actions), dtype=torch.bool, device=inputs[0].reset.device
    )
    return [part if part.mask is not None else part._replace(mask=free) for part in inputs]
