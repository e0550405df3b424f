"""Answers of chapter 12, memory in agents: resets, and how long a gate keeps."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], Tensor]
"""(B, D) input and (B, H) state to the next (B, H) state."""


def unroll(step: Step, x: Tensor, h: Tensor, reset: Tensor) -> Tensor:
    """Compute all states of a sequence in which episodes begin.

    Args:
        step: of a cell.
        x: (T, B, D).
        h: (B, H) the state before the first tick.
        reset: (T, B) bool, True where an episode begins at t.

    Returns:
        (T, B, H).
    """
    states = []
    for x_t, reset_t in zip(x, reset, strict=True):
        h = step(x_t, h.masked_fill(reset_t.unsqueeze(1), 0.0))
        states.append(h)
    return torch.stack(states)


def forget_bias(ticks: int, kept: float) -> float:
    """Find the bias of a gate f = sigmoid(b) that keeps the part `kept` of a cell over `ticks`.

    Args:
        ticks: at least 1.
        kept: between 0 and 1, both excluded.

    Returns:
        b.
    """
    f = kept ** (1 / ticks)
    return math.log(f / (1 - f))
