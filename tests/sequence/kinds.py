"""Layers of every kind, and random cases for them; imported by the tests beside it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sidestep.sequence import GRU, LSTM, RNN, State, map_state
from sidestep.sequence.layers.recurrent import Recurrent

KINDS: dict[str, Callable[..., Recurrent]] = {
    "rnn": RNN,
    "relu": lambda *a, **k: RNN(*a, nonlinearity="relu", **k),
    "lstm": LSTM,
    "gru": GRU,
    "gru_before": lambda *a, **k: GRU(*a, reset_after=False, **k),
}
TORCH = {"rnn": "RNN", "relu": "RNN", "lstm": "LSTM", "gru": "GRU"}
DTYPE = torch.float64


def make(kind: str, *sizes: int, **options: Any) -> Recurrent:
    """A layer in float64 with every weight and bias random."""
    options = {"dtype": DTYPE, "init": "torch"} | options
    return KINDS[kind](*sizes, **options, generator=torch.Generator().manual_seed(3))


def leaves(state: State) -> list[Tensor]:
    """The tensors of a state."""
    if isinstance(state, Tensor):
        return [state]
    return [leaf for part in state for leaf in leaves(part)]


def random_state(layer: Recurrent, batch: int) -> State:
    """A state that is nowhere zero."""
    return map_state(torch.randn_like, layer.initial_state(batch))


def gap(a: State, b: State) -> float:
    """The largest difference between two states or tensors; NaN is as far as can be."""
    worst = 0.0
    for x, y in zip(leaves(a), leaves(b), strict=True):
        assert x.shape == y.shape
        if x.numel():
            worst = max(worst, torch.nan_to_num((x - y).abs(), nan=float("inf")).max().item())
    return worst


PATTERNS = ("none", "all", "first", "last", "random")


def reset_pattern(name: str, steps: int, batch: int) -> Tensor | None:
    """(T, B) boolean."""
    if name == "random":
        return torch.rand(steps, batch) < 0.3
    reset = torch.full((steps, batch), name == "all")
    if name == "first":
        reset[:1] = True
    if name == "last":
        reset[-1:] = True
    return reset
