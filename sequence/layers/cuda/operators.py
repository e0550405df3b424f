"""The operators' forward and backward on a GPU: products over all of time, and the kernels.

Weights, biases and gradients are taken and given in torch's order of rows: nothing is put together
or turned round but the GRU's gradients of W_hh and b_hh. The kernels add the biases: a product with
a bias costs the host several times one without. At small sizes the host is what takes the time.
"""

import torch
from torch import Tensor

from .launch import (
    GRU,
    LSTM,
    RELU,
    RNN,
    run_backward,
    run_backward_before,
    run_forward,
    run_forward_before,
)
from .plans import Plan


def flat(x: Tensor) -> Tensor:
    """All rows of all steps, (T * B, size)."""
    return x.reshape(-1, x.shape[2])


def input_grad(x: Tensor, rows: Tensor, w_ih: Tensor, needed: bool) -> Tensor:
    """The gradient of x from those of its sums, (T * B, gates * H); of size 0 unless `needed`."""
    return (rows @ w_ih).view(x.shape) if needed else x.new_empty(0)


def gru(
    plan: Plan,
    precision: str,
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    reset: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """As `sidestep::gru`."""
    steps, batch, _ = x.shape
    hidden = h0.shape[1]
    slots, states = x.new_empty(steps, batch, 4 * hidden), x.new_empty(steps, batch, hidden)
    torch.mm(flat(x), w_ih.t(), out=flat(slots)[:, : 3 * hidden])
    run_forward(GRU, plan, precision, slots, states, None, h0, None, w_hh, b_ih, b_hh, reset)
    return states, slots


def gru_backward(
    plan: Plan,
    precision: str,
    grad: Tensor,
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    reset: Tensor | None,
    states: Tensor,
    slots: Tensor,
    need_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """As `sidestep::gru_backward`."""
    deltas, read, d_h0, _ = run_backward(
        GRU, plan, precision, grad, None, slots, states, None, h0, None, w_hh, reset
    )
    hidden, rows = h0.shape[1], flat(deltas)
    from_x, from_h = rows[:, hidden:], rows[:, : 3 * hidden]  # r, z, n and u, r, z
    bias = rows.sum(0)  # (4H,)
    d_w_hh = from_h.t() @ flat(read)
    return (
        input_grad(x, from_x, w_ih, need_x),
        d_h0,
        from_x.t() @ flat(x),
        torch.cat([d_w_hh[hidden:], d_w_hh[:hidden]]),
        bias[hidden:],
        torch.cat([bias[hidden : 3 * hidden], bias[:hidden]]),
    )


def gru_before(
    plan: Plan,
    precision: str,
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor | None,
    reset: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """As `sidestep::gru_before`."""
    steps, batch, _ = x.shape
    hidden = h0.shape[1]
    slots, states = x.new_empty(steps, batch, 3 * hidden), x.new_empty(steps, batch, hidden)
    torch.mm(flat(x), w_ih.t(), out=flat(slots))
    if bias is not None:
        slots += bias
    run_forward_before(plan, precision, slots, states, h0, w_hh, reset)
    return states, slots


def gru_before_backward(
    plan: Plan,
    precision: str,
    grad: Tensor,
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    reset: Tensor | None,
    states: Tensor,
    slots: Tensor,
    need_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """As `sidestep::gru_before_backward`."""
    deltas, read, gated, d_h0 = run_backward_before(
        plan, precision, grad, slots, states, h0, w_hh, reset
    )
    split, rows = 2 * h0.shape[1], flat(deltas)
    return (
        input_grad(x, rows, w_ih, need_x),
        d_h0,
        rows.t() @ flat(x),
        torch.cat([rows[:, :split].t() @ flat(read), rows[:, split:].t() @ flat(gated)]),
        rows.sum(0),
    )


def lstm(
    plan: Plan,
    precision: str,
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor | None,
    reset: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """As `sidestep::lstm`."""
    steps, batch, _ = x.shape
    hidden = h0.shape[1]
    slots, hs = x.new_empty(steps, batch, 4 * hidden), x.new_empty(steps, batch, hidden)
    cs = torch.empty_like(hs)
    torch.mm(flat(x), w_ih.t(), out=flat(slots))
    run_forward(LSTM, plan, precision, slots, hs, cs, h0, c0, w_hh, None, bias, reset)
    return hs, cs, slots


def lstm_backward(
    plan: Plan,
    precision: str,
    grad_h: Tensor | None,
    grad_c: Tensor | None,
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    reset: Tensor | None,
    hs: Tensor,
    cs: Tensor,
    slots: Tensor,
    need_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """As `sidestep::lstm_backward`."""
    deltas, read, d_h0, d_c0 = run_backward(
        LSTM, plan, precision, grad_h, grad_c, slots, hs, cs, h0, c0, w_hh, reset
    )
    assert d_c0 is not None
    rows = flat(deltas)
    return (
        input_grad(x, rows, w_ih, need_x),
        d_h0,
        d_c0,
        rows.t() @ flat(x),
        rows.t() @ flat(read),
        rows.sum(0),
    )


def rnn(
    plan: Plan,
    precision: str,
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor | None,
    reset: Tensor | None,
    relu: bool,
) -> Tensor:
    """As `sidestep::rnn`."""
    states = x.new_empty(x.shape[0], x.shape[1], h0.shape[1])
    torch.mm(flat(x), w_ih.t(), out=flat(states))
    cell = RELU if relu else RNN
    run_forward(cell, plan, precision, states, states, None, h0, None, w_hh, None, bias, reset)
    return states


def rnn_backward(
    plan: Plan,
    precision: str,
    grad: Tensor,
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    reset: Tensor | None,
    states: Tensor,
    relu: bool,
    need_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """As `sidestep::rnn_backward`."""
    cell = RELU if relu else RNN
    deltas, read, d_h0, _ = run_backward(
        cell, plan, precision, grad, None, states, states, None, h0, None, w_hh, reset
    )
    rows = flat(deltas)
    return (
        input_grad(x, rows, w_ih, need_x),
        d_h0,
        rows.t() @ flat(x),
        rows.t() @ flat(read),
        rows.sum(0),
    )
