"""The cells with layer normalisation: each gate's products with x and h have mean 0, variance 1.

LN_a(v) = a * (v - mean(v)) / sqrt(var(v) + eps), taken over the H units of one gate, with a gain a
and no shift (the cells have biases). The paper normalises all gates of a product as one vector;
gate by gate also fits the GRU that resets before the product.

Source: Ba, Kiros & Hinton (2016), arXiv 1607.06450, section 3.1 and supplement, eq. 18-22.
"""

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear

from .steps import GRUStep, LSTMStep, Nonlinearity, RNNStep, Weights


def normalise(v: Tensor, gain: Tensor, gates: int) -> Tensor:
    """LN gate by gate.

    Args:
        v: (B, G * H).
        gain: (G * H,).
        gates: G.

    Returns:
        (B, G * H).
    """
    hidden = v.shape[-1] // gates
    blocks = layer_norm(v.view(*v.shape[:-1], gates, hidden), (hidden,))
    return blocks.flatten(-2) * gain


def _products(x: Tensor, h: Tensor, weights: Weights, gates: int) -> tuple[Tensor, Tensor]:
    """LN(W_ih x) + b_ih and LN(W_hh h) + b_hh, each (B, G * H)."""
    from_x, from_h = linear(x, weights.w_ih), linear(h, weights.w_hh)
    if weights.norm_ih is not None and weights.norm_hh is not None:
        from_x = normalise(from_x, weights.norm_ih, gates)
        from_h = normalise(from_h, weights.norm_hh, gates)
    if weights.b_ih is not None and weights.b_hh is not None:
        return from_x + weights.b_ih, from_h + weights.b_hh
    return from_x, from_h


def _rows(weights: Weights, rows: slice) -> Weights:
    """Some rows of all parameters."""
    w_ih, w_hh, *others, _ = weights
    return Weights(w_ih[rows], w_hh[rows], *(None if w is None else w[rows] for w in others))


def rnn_step(x: Tensor, h: Tensor, weights: Weights, nonlinearity: Nonlinearity) -> RNNStep:
    """`cells.rnn_step`, normalised: x (B, D), h (B, H)."""
    from_x, from_h = _products(x, h, weights, 1)
    a = from_x + from_h
    return RNNStep(torch.tanh(a) if nonlinearity == "tanh" else torch.relu(a))


def lstm_step(x: Tensor, h: Tensor, c: Tensor, weights: Weights) -> LSTMStep:
    """`cells.lstm_step`, normalised: x (B, D), h and c (B, H); h' = o * tanh(LN(c'))."""
    from_x, from_h = _products(x, h, weights, 4)
    i, f, g, o = (from_x + from_h).chunk(4, dim=-1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    c = f * c + i * g
    shown = c if weights.norm_c is None else normalise(c, weights.norm_c, 1)
    return LSTMStep(o * torch.tanh(shown), c, i, f, g, o)


def gru_step(x: Tensor, h: Tensor, weights: Weights, reset_after: bool) -> GRUStep:
    """`cells.gru_step`, normalised: x (B, D), h (B, H); z weighs the past."""
    hidden = h.shape[-1]
    if reset_after:
        from_x, from_h = _products(x, h, weights, 3)
        rz = from_x[:, : 2 * hidden] + from_h[:, : 2 * hidden]
        r, z = torch.sigmoid(rz).chunk(2, dim=-1)
        n = torch.tanh(from_x[:, 2 * hidden :] + r * from_h[:, 2 * hidden :])
    else:
        rz_x, rz_h = _products(x, h, _rows(weights, slice(0, 2 * hidden)), 2)
        r, z = torch.sigmoid(rz_x + rz_h).chunk(2, dim=-1)
        n_x, n_h = _products(x, r * h, _rows(weights, slice(2 * hidden, None)), 1)
        n = torch.tanh(n_x + n_h)
    return GRUStep((1 - z) * n + z * h, r, z, n)
