"""Looking inside recurrent layers: how gradients flow, and what the gates do.

Axis letters: T time, B batch, H hidden units.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from sidestep.sequence.state import State

from .recurrent import Recurrent
from .steps import Nonlinearity


class Chain(NamedTuple):
    """The gradient through a one-unit RNN, dh_T/dh_1 = w_hh^(T-1) * prod_{t>1} f'(a_t).

    The slope f' is 1 - h_t^2 of tanh; of ReLU it is 1 where a_t > 0, else 0.

    Attributes:
        h: (T,) the states h_1..h_T.
        power: w_hh^(T-1), the factor of the usual story: it grows or fades with T alone.
        slopes: prod_{t=2..T} f'(a_t), what saturation leaves of it: in [0, 1].
        gradient: the product of both.
        sums: (T,) a_1..a_T; NaN where h_1 was given.
        slope: (T,) f'(a_1)..f'(a_T); that of step 1 is not in the product.
    """

    h: Tensor
    power: float
    slopes: float
    gradient: float
    sums: Tensor
    slope: Tensor


def toy_chain(
    x: Sequence[float] | Tensor,
    w_xh: float = 2.0,
    w_hh: float = 3.0,
    b: float = 1.0,
    h_1: float | None = None,
    nonlinearity: Nonlinearity = "tanh",
) -> Chain:
    """The gradient dh_T/dh_1 of h_t = f(w_xh x_t + w_hh h_{t-1} + b), its two factors apart.

    Args:
        x: (T,) inputs x_1..x_T, T >= 1.
        w_xh: input weight.
        w_hh: recurrent weight.
        b: bias.
        h_1: the first state; None computes it from x_1 and h_0 = 0.
        nonlinearity: f, "tanh" or "relu".

    Raises:
        ValueError: x is not a row of at least one number, or another nonlinearity.

    Source: Pascanu, Mikolov & Bengio (2013), arXiv 1211.5063, eq. 5-7, with one unit.
    """
    inputs = torch.as_tensor(x, dtype=torch.float64)
    if inputs.ndim != 1 or not len(inputs):
        raise ValueError(f"expected x of shape (T,) with T >= 1, got {tuple(inputs.shape)}")
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity: expected tanh or relu, got {nonlinearity!r}")
    squash = torch.tanh if nonlinearity == "tanh" else torch.relu
    sums, h = [w_xh * inputs[0] + b], []
    h.append(squash(sums[0]) if h_1 is None else inputs.new_tensor(h_1))
    for x_t in inputs[1:]:
        sums.append(w_xh * x_t + w_hh * h[-1] + b)
        h.append(squash(sums[-1]))
    states, a = torch.stack(h), torch.stack(sums)
    slope = 1 - states**2 if nonlinearity == "tanh" else (states > 0).to(states.dtype)
    if h_1 is not None:
        a[0] = torch.nan
    weight = inputs.new_tensor(w_hh)
    power, slopes = float(weight ** (len(h) - 1)), float(slope[1:].prod())
    gradient = power * slopes
    if not math.isfinite(power):  # beyond all numbers, where the gradient may not be
        gradient = float((weight * slope[1:]).prod())
    return Chain(states, power, slopes, gradient, a, slope)


def gradient_flow(
    layer: Recurrent,
    x: Tensor,
    loss: Callable[[Tensor], Tensor],
    reset: Tensor | None = None,
) -> dict[str, Tensor]:
    """The norm of the loss's gradient for every state of the last layer, `|dL/dh_t|`.

    Args:
        layer: an `RNN`, `LSTM` or `GRU` of one direction.
        x: (T, B, D) input, T >= 1.
        loss: takes the outputs (T, B, H), returns a scalar.
        reset: (T, B) boolean, True where an episode starts.

    Returns:
        By the state's name (T, B), norms over the units. "h": by way of the output at t and of all
        later steps; an LSTM's "c": by way of later steps only, h_t held fixed. No gradient crosses
        a reset.

    Raises:
        ValueError: the layer is bidirectional, or T = 0.
    """
    if x.ndim != 3 or not len(x):
        raise ValueError(f"expected x of shape (T, B, D) with T >= 1, got {tuple(x.shape)}")
    state = layer.initial_state(x.shape[1])
    tops: list[tuple[Tensor, ...]] = []  # for each t, the last layer's states
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_()  # a layer may be frozen
        for t, x_t in enumerate(x.unbind(0)):
            y, state = layer.step(x_t, state, None if reset is None else reset[t])
            parts = (state,) if isinstance(state, Tensor) else state
            leaves = [cast(Tensor, part) for part in parts]
            top = (y, *(leaf[-1] for leaf in leaves[1:]))
            state = _join(leaves, top)
            tops.append(top)
        total = loss(torch.stack([top[0] for top in tops]))
        flat = [tensor for top in tops for tensor in top]
        found = torch.autograd.grad(total, flat, allow_unused=True, materialize_grads=True)
    norms = torch.stack([_norm(gradient) for gradient in found])  # (T * parts, B)
    columns = norms.view(len(x), len(layer.part_names), -1).unbind(1)
    return dict(zip(layer.part_names, columns, strict=True))


def _norm(gradient: Tensor) -> Tensor:
    """The norm over the last axis, (..., H) to (...), of numbers as small as they come.

    Squares of what is below 1e-19 would be 0 in float32.
    """
    largest = gradient.abs().amax(-1).clamp(min=torch.finfo(gradient.dtype).tiny)
    norm: Tensor = (gradient / largest.unsqueeze(-1)).norm(dim=-1)
    return norm * largest


def _join(leaves: Sequence[Tensor], top: Sequence[Tensor]) -> State:
    """The state whose last layer is made of the tensors `top`, so that they carry the gradient."""
    pairs = zip(leaves, top, strict=True)
    parts = [torch.cat([leaf[:-1], row.unsqueeze(0)]) for leaf, row in pairs]
    return parts[0] if len(parts) == 1 else tuple(parts)


class GateStatistics(NamedTuple):
    """How a gate behaves over time and batch, for each unit (H,).

    Attributes:
        mean: its mean value.
        low: share of steps below 0.1: shut.
        high: share of steps above 0.9: open.
    """

    mean: Tensor
    low: Tensor
    high: Tensor


@torch.no_grad()
def gate_statistics(
    layer: Recurrent, x: Tensor, reset: Tensor | None = None, level: int = 0
) -> dict[str, GateStatistics]:
    """Statistics of every gate of a layer that lies in [0, 1].

    Args:
        layer: an `LSTM` or `GRU` (an `RNN` has no gates: an empty dict).
        x: (T, B, D) input, T >= 1.
        reset: (T, B) boolean, True where an episode starts.
        level: which of the layers, counting directions.

    Returns:
        By the gate's name: i, f, o of an LSTM, r, z of a GRU.
    """
    record: Any = layer.trace(x, reset=reset).cells[level]
    gates = {name: getattr(record, name) for name in layer.gate_words}
    return {
        name: GateStatistics(
            gate.mean((0, 1)), (gate < 0.1).float().mean((0, 1)), (gate > 0.9).float().mean((0, 1))
        )
        for name, gate in gates.items()
    }
