"""What each cell does between its products, forward and backward: the equations of `steps`.

A cell's sums come in torch's order of rows. What is saved for the backward pass (the slots) has the
order of the loop that the operators run elsewhere, so that either may go back where the other went
forward. Four of everything: what a cell has not repeats what it has, and costs nothing.
"""

import triton
import triton.language as tl


@triton.jit
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + tl.exp(-x))


@triton.jit
def tanh(x):
    """The hyperbolic tangent, right at both ends."""
    return 1 - 2 / (tl.exp(2 * x) + 1)


@triton.jit
def advance(CELL: tl.constexpr, from_x, from_h, h, c):
    """One step: sums of x and of h (four each, in torch's order), the state before.

    Returns:
        The new h and c, and the slots.
    """
    x_0, x_1, x_2, x_3 = from_x
    h_0, h_1, h_2, h_3 = from_h
    if CELL == "gru":
        r, z = sigmoid(x_0 + h_0), sigmoid(x_1 + h_1)
        n = tanh(x_2 + r * h_2)
        return n + z * (h - n), c, n, r, z, h_2
    elif CELL == "lstm":
        i, f, g, o = sigmoid(x_0 + h_0), sigmoid(x_1 + h_1), tanh(x_2 + h_2), sigmoid(x_3 + h_3)
        c = f * c + i * g
        return o * tanh(c), c, g, i, f, o
    else:
        a = x_0 + h_0
        h = tl.maximum(a, 0, propagate_nan=tl.PropagateNan.ALL) if CELL == "relu" else tanh(a)
        return h, c, h, h, h, h


@triton.jit
def retreat(CELL: tl.constexpr, d_h, d_c, slots, h, c, before):
    """The gradients of a step's sums from those of its state; h and c are the states before it.

    For the RNN, whose only slot is its state, and the LSTM, `before` is h or c after the step.

    Returns:
        The gradients of the sums (GRU: u, r, z, n), what goes on to h without a product, and to c.
    """
    s_0, s_1, s_2, s_3 = slots
    if CELL == "gru":
        n, r, z, u = s_0, s_1, s_2, s_3
        d_n = d_h * (1 - z) * (1 - n * n)
        d_r = d_n * u * r * (1 - r)
        d_z = d_h * (h - n) * z * (1 - z)
        return d_n * r, d_r, d_z, d_n, d_h * z, d_c
    elif CELL == "lstm":
        g, i, f, o = s_0, s_1, s_2, s_3
        shown = tanh(before)
        d_c += d_h * o * (1 - shown * shown)
        d_i, d_f = d_c * g * i * (1 - i), d_c * c * f * (1 - f)
        d_g, d_o = d_c * i * (1 - g * g), d_h * shown * o * (1 - o)
        return d_i, d_f, d_g, d_o, tl.zeros_like(d_h), d_c * f
    else:
        d = tl.where(s_0 > 0, d_h, 0) if CELL == "relu" else d_h * (1 - s_0 * s_0)
        return d, d, d, d, tl.zeros_like(d_h), d_c
