"""The RNN: masked recurrence with a hand-written backward. The states are the only buffer."""

from typing import Any

import torch
from torch import Tensor

from .recurrence_tools import (
    Resets,
    chunks,
    input_grad,
    no_second_derivative,
    project,
    read_states,
    weight_grad,
)


@torch.library.custom_op("sidestep::rnn", mutates_args=())
def rnn(
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor | None,
    reset: Tensor | None,
    relu: bool,
) -> Tensor:
    """All steps: x (T, B, D), h0 (B, H), bias b_ih + b_hh; the states (T, B, H)."""
    steps, batch, _ = x.shape
    states = x.new_empty(steps, batch, h0.shape[1])
    project(x, w_ih, bias, states)
    resets, w_t = Resets(reset, steps), w_hh.t()
    h = h0
    for t, h_t in enumerate(states.unbind(0)):
        h = h_t.addmm_(resets.clear(t, h), w_t)
        h = h.relu_() if relu else h.tanh_()
    return states


@rnn.register_fake
def _(
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor | None,
    reset: Tensor | None,
    relu: bool,
) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1], h0.shape[1])


@torch.library.custom_op("sidestep::rnn_backward", mutates_args=())
def rnn_backward(
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
    """Gradients of x (of size 0 unless `need_x`), h0, w_ih, w_hh and the bias."""
    deltas, d_h0 = _walk_back(grad, w_hh, Resets(reset, len(grad)), states, relu)
    return (
        input_grad(x, deltas, w_ih, need_x),
        d_h0,
        weight_grad(deltas, x),
        weight_grad(deltas, read_states(states, h0, reset)),
        deltas.sum((0, 1)),
    )


def _walk_back(
    grad: Tensor, w_hh: Tensor, resets: Resets, states: Tensor, relu: bool
) -> tuple[Tensor, Tensor]:
    """The gradients of the sums inside tanh (T, B, H), and of the state before all (B, H)."""
    steps, batch, hidden = grad.shape
    deltas = torch.empty_like(states)
    delta_t, grad_t = deltas.unbind(0), grad.unbind(0)
    d_h = grad.new_zeros(batch, hidden) if steps == 0 else grad_t[-1]
    for start, stop in chunks(steps, batch * hidden):
        h = states[start:stop]
        factors = ((h > 0).to(h.dtype) if relu else 1 - h * h).unbind(0)
        for t in range(stop - 1, start - 1, -1):
            torch.mul(d_h, factors[t - start], out=delta_t[t])
            if t and not resets.any[t]:
                d_h = torch.addmm(grad_t[t - 1], delta_t[t], w_hh)
                continue
            d_h = delta_t[t] @ w_hh
            resets.stop(t, d_h)
            if t:
                d_h.add_(grad_t[t - 1])
    return deltas, d_h


@rnn_backward.register_fake
def _(
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
    return (
        x.new_empty(x.shape) if need_x else x.new_empty(0),
        x.new_empty(h0.shape),
        x.new_empty(w_ih.shape),
        x.new_empty(w_hh.shape),
        x.new_empty(w_ih.shape[0]),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, h0, w_ih, w_hh, bias, reset, relu = inputs
    ctx.save_for_backward(x, h0, w_ih, w_hh, reset, output)
    ctx.biased, ctx.relu = bias is not None, relu


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    need_x = ctx.needs_input_grad[0]
    gradients = rnn_backward(grad, *ctx.saved_tensors, ctx.relu, need_x)
    d_x, d_h0, d_w_ih, d_w_hh, d_bias = gradients
    return d_x if need_x else None, d_h0, d_w_ih, d_w_hh, d_bias if ctx.biased else None, None, None


rnn.register_autograd(_differentiate, setup_context=_save)
rnn_backward.register_autograd(no_second_derivative)
