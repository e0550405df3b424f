"""One step of RNN, LSTM and GRU, written as the equations stand, and a loop of steps over time.

This file is the specification: the fast recurrence is tested against it, and it is tested against
`torch.nn` and ONNX. Axis letters: B batch, D input features, H hidden units.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from sidestep.sequence.state import State

Nonlinearity = Literal["tanh", "relu"]
ZWeighs = Literal["past", "candidate"]
Parts = tuple[Tensor, ...]
"""The states of a cell, h first."""


class Weights(NamedTuple):
    """The parameters of one layer in one direction; G gates."""

    w_ih: Tensor  # (G * H, D)
    w_hh: Tensor  # (G * H, H)
    b_ih: Tensor | None  # (G * H,)
    b_hh: Tensor | None  # (G * H,)
    norm_ih: Tensor | None = None  # (G * H,) gains of layer normalisation
    norm_hh: Tensor | None = None  # (G * H,)
    norm_c: Tensor | None = None  # (H,), the LSTM's cell


class RNNStep(NamedTuple):
    """What one RNN step computes: `h` (B, H), the new state."""

    h: Tensor


class LSTMStep(NamedTuple):
    """What one LSTM step computes, each (B, H): the states `h` and `c`, and the gates.

    `i` lets the candidate `g` into the cell, `f` keeps the old cell, `o` shows the cell in `h`.
    """

    h: Tensor
    c: Tensor
    i: Tensor
    f: Tensor
    g: Tensor
    o: Tensor


class GRUStep(NamedTuple):
    """What one GRU step computes, each (B, H): the state `h`, and the gates.

    `r` resets the past inside the candidate `n`, `z` mixes the past and the candidate.
    """

    h: Tensor
    r: Tensor
    z: Tensor
    n: Tensor


def rnn_step(
    x: Tensor,
    h: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    *,
    nonlinearity: Nonlinearity = "tanh",
) -> RNNStep:
    """Elman's step, h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or ReLU in the place of tanh.

    Args:
        x: (B, D) input.
        h: (B, H) state.
        w_ih: (H, D) input weights.
        w_hh: (H, H) recurrent weights.
        b_ih: (H,) or None.
        b_hh: (H,) or None.
        nonlinearity: "tanh" or "relu".

    Returns:
        The new state.

    Source: Elman (1990), Finding structure in time; the two biases are torch's.
    """
    a = linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh)  # (B, H)
    return RNNStep(torch.tanh(a) if nonlinearity == "tanh" else torch.relu(a))


def lstm_step(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> LSTMStep:
    """The LSTM's step: c' = f * c + i * g and h' = o * tanh(c').

    i, f, o = sigmoid(W x + U h + b) each with its own rows of the weights, g = tanh(W x + U h + b).

    Args:
        x: (B, D) input.
        h: (B, H) state that is shown.
        c: (B, H) cell, the additive path.
        w_ih: (4H, D) input weights, rows in the order i, f, g, o.
        w_hh: (4H, H) recurrent weights, same order.
        b_ih: (4H,) or None.
        b_hh: (4H,) or None.

    Returns:
        The new states and the gates.

    Source: Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000), without
    peepholes; the row order and the two biases are torch's.
    """
    i, f, g, o = (linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh)).chunk(4, dim=-1)  # (B, H) each
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    c = f * c + i * g
    return LSTMStep(o * torch.tanh(c), c, i, f, g, o)


def gru_step(
    x: Tensor,
    h: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    *,
    reset_after: bool = True,
    z_weighs: ZWeighs = "past",
) -> GRUStep:
    """The GRU's step, in either place of the reset gate and either side of the update gate.

    r = sigmoid(W_r x + U_r h + b_r) and z = sigmoid(W_z x + U_z h + b_z), then

    - reset_after: n = tanh(W_n x + b_in + r * (U_n h + b_hn)), one product with h for all gates;
    - else: n = tanh(W_n x + b_in + U_n (r * h) + b_hn), a second product after r is known;
    - z_weighs "past": h' = (1 - z) * n + z * h; "candidate": h' = (1 - z) * h + z * n.

    The two places of r are different functions. The two sides of z are one function with the z rows
    of the weights negated: `flip_update_gate`.

    Args:
        x: (B, D) input.
        h: (B, H) state.
        w_ih: (3H, D) input weights, rows in the order r, z, n.
        w_hh: (3H, H) recurrent weights, same order.
        b_ih: (3H,) or None.
        b_hh: (3H,) or None.
        reset_after: True is torch's, cuDNN's and Keras' default; False is the original's.
        z_weighs: "past" is torch's and Keras'; "candidate" is that of Chung et al.

    Returns:
        The new state and the gates.

    Source: reset before: Cho et al. (2014), arXiv 1406.1078, section 2.3 (z weighs the past) and
    Chung et al. (2014), arXiv 1412.3555, section 3.2 (z weighs the candidate); reset after:
    torch.nn.GRU.
    """
    hidden = h.shape[-1]
    from_x = linear(x, w_ih, b_ih)  # (B, 3H)
    if reset_after:
        from_h = linear(h, w_hh, b_hh)  # (B, 3H)
    else:
        b_rz = None if b_hh is None else b_hh[: 2 * hidden]
        from_h = linear(h, w_hh[: 2 * hidden], b_rz)  # (B, 2H)
    r = torch.sigmoid(from_x[..., :hidden] + from_h[..., :hidden])
    z = torch.sigmoid(from_x[..., hidden : 2 * hidden] + from_h[..., hidden : 2 * hidden])
    if reset_after:
        n = torch.tanh(from_x[..., 2 * hidden :] + r * from_h[..., 2 * hidden :])
    else:
        b_n = None if b_hh is None else b_hh[2 * hidden :]
        n = torch.tanh(from_x[..., 2 * hidden :] + linear(r * h, w_hh[2 * hidden :], b_n))
    keep, take = (z, 1 - z) if z_weighs == "past" else (1 - z, z)
    return GRUStep(take * n + keep * h, r, z, n)


def flip_update_gate(weight: Tensor) -> Tensor:
    """Negate the z rows of a GRU's weight or bias: the other side of the update gate.

    sigmoid(-a) = 1 - sigmoid(a), so h' = (1 - z) * n + z * h with flipped rows equals
    h' = (1 - z) * h + z * n with the rows as they were. Flip every weight and every bias.

    Args:
        weight: (3H, ...) rows in the order r, z, n.

    Returns:
        A copy, (3H, ...).

    Raises:
        ValueError: the first size is not a multiple of 3.
    """
    if weight.ndim == 0 or weight.shape[0] % 3:
        raise ValueError(
            f"expected a GRU's weight of 3H rows (r, z, n), got shape {tuple(weight.shape)}"
        )
    r, z, n = weight.chunk(3)
    return torch.cat([r, -z, n])


def step_by_step(
    step: Callable[[Tensor, Parts], Any],
    record: Any,
    x: Tensor,
    parts: Parts,
    reset: Tensor | None,
) -> Any:
    """Run a cell over time in ordinary operations, which every transform of torch knows (slow).

    Args:
        step: takes x[t] (B, D) and the states (B, H); returns a record, states first.
        record: the type of that record.
        x: (T, B, D).
        parts: the states before all, (B, H) each.
        reset: (T, B) boolean, or None.

    Returns:
        The record of all steps, (T, B, H) each.
    """
    steps = []
    for t in range(x.shape[0]):
        if reset is not None:
            cleared = reset[t].unsqueeze(-1)
            parts = tuple(part.masked_fill(cleared, 0) for part in parts)
        steps.append(step(x[t], parts))
        parts = tuple(steps[-1][: len(parts)])
    if not steps:
        none = step(x.flatten(0, 1)[:0], tuple(part[:0] for part in parts))  # of the graph, too
        return record._make(field.unsqueeze(1).repeat(1, x.shape[1], 1) for field in none)
    return record._make(torch.stack(column) for column in zip(*steps, strict=True))


def bare(parts: Parts) -> State:
    """A state as users hold it: one part alone without its tuple."""
    return parts[0] if len(parts) == 1 else parts
