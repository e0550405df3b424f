"""The GRU that resets before the product: masked recurrence with a hand-written backward.

n = tanh(W_n x + U_n (r * h) + b) needs two products a step in each direction, the second after r is
known. torch and cuDNN have no kernel for it. The slots of a step are r, z, n, in torch's order.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from . import compiling
from .cuda.dispatch import direct, on_gpu
from .derivative import (
    chunks,
    input_grad,
    no_second_derivative,
    read_states,
    sigmoid_backward,
    tanh_backward,
    weight_grad,
)
from .operator import Resets, project
from .products import Repeated


def step_before(x: Tensor, h: Tensor, weights: Any) -> Tensor:
    """`steps.gru_step` with reset_after=False in fewer operations: x (B, D), h (B, H)."""
    split = 2 * h.shape[1]
    w_ih, w_hh, b_ih, b_hh = weights[:4]
    from_x = linear(x, w_ih, b_ih)  # (B, 3H)
    b_rz, b_n = (None, None) if b_hh is None else (b_hh[:split], b_hh[split:])
    rz = torch.sigmoid(from_x[:, :split] + linear(h, w_hh[:split], b_rz))  # (B, 2H)
    r, z = rz.chunk(2, dim=1)
    n = torch.tanh(from_x[:, split:] + linear(r * h, w_hh[split:], b_n))
    return torch.lerp(n, h, z)  # (1 - z) * n + z * h


def _forward(
    x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor | None, reset: Tensor | None
) -> tuple[Tensor, Tensor]:
    """All steps: x (T, B, D), h0 (B, H), bias b_ih + b_hh; states (T, B, H), slots (T, B, 3H)."""
    steps, batch, _ = x.shape
    hidden = h0.shape[1]
    slots = project(x, w_ih, bias)
    states = x.new_empty(steps, batch, hidden)
    walk = _walk_compiled if compiling.serves(x) else _walk
    walk(slots, h0, w_hh, reset, states)
    return states, slots


def _walk_compiled(
    slots: Tensor, h0: Tensor, w_hh: Tensor, reset: Tensor | None, states: Tensor
) -> None:
    """`_walk` with what lies around the products in two calls a step."""
    split = 2 * h0.shape[1]
    read = compiling.first_read(h0, reset)
    gated, rows = torch.empty_like(read), len(read)
    w_rz, w_n = Repeated(w_hh[:split].t(), rows), Repeated(w_hh[split:].t(), rows)
    slots_, reset_, read_, gated_, states_ = compiling.arrays(slots, reset, read, gated, states)
    for t, slot in enumerate(slots.unbind(0)):
        w_rz.add(read, slot[:, :split])
        compiling.kernels().before_gates(t, slots_, read_, gated_)
        w_n.add(gated, slot[:, split:])
        compiling.kernels().before_state(t, slots_, reset_, read_, states_)


def _walk(slots: Tensor, h0: Tensor, w_hh: Tensor, reset: Tensor | None, states: Tensor) -> None:
    """Fill in slots and states (see `_forward`); the slots hold the products with x."""
    hidden, resets = h0.shape[1], Resets(reset, len(slots))
    r_t, z_t, n_t = (slot.unbind(0) for slot in slots.chunk(3, dim=-1))
    rz_t = slots[..., : 2 * hidden].unbind(0)
    w_rz, w_n = w_hh[: 2 * hidden].t(), w_hh[2 * hidden :].t()
    h = h0
    for t, h_t in enumerate(states.unbind(0)):
        h = resets.clear(t, h)
        rz_t[t].addmm_(h, w_rz).sigmoid_()
        n_t[t].addmm_(r_t[t] * h, w_n).tanh_()
        h = torch.lerp(n_t[t], h, z_t[t], out=h_t)  # (1 - z) * n + z * h


gru_before = torch.library.custom_op("sidestep::gru_before", _forward, mutates_args=())
_forward_on_gpu = on_gpu("gru_before", _forward)
gru_before.register_kernel("cuda")(_forward_on_gpu)


@gru_before.register_fake
def _(
    x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor | None, reset: Tensor | None
) -> tuple[Tensor, Tensor]:
    steps, batch, _ = x.shape
    return x.new_empty(steps, batch, h0.shape[1]), x.new_empty(steps, batch, w_ih.shape[0])


def _backward(
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
    """Gradients of x (of size 0 unless `need_x`), h0, w_ih, w_hh and the bias."""
    read = read_states(states, h0, reset)
    walk = _walk_back_compiled if compiling.serves(x) else _walk_back
    deltas, d_h0 = walk(grad, w_hh, reset, read, slots)
    hidden = h0.shape[1]
    gated = slots[..., :hidden] * read  # r * h
    w_rz = weight_grad(deltas[..., : 2 * hidden], read)
    w_n = weight_grad(deltas[..., 2 * hidden :], gated)
    return (
        input_grad(x, deltas, w_ih, need_x),
        d_h0,
        weight_grad(deltas, x),
        torch.cat([w_rz, w_n]),
        deltas.sum((0, 1)),
    )


gru_before_backward = torch.library.custom_op(
    "sidestep::gru_before_backward", _backward, mutates_args=()
)
_backward_on_gpu = on_gpu("gru_before_backward", _backward, at=1)
gru_before_backward.register_kernel("cuda")(_backward_on_gpu)


def _walk_back_compiled(
    grad: Tensor, w_hh: Tensor, reset: Tensor | None, read: Tensor, slots: Tensor
) -> tuple[Tensor, Tensor]:
    """`_walk_back` with what lies around the products in two calls a step."""
    steps, batch, hidden = grad.shape
    split = 2 * hidden
    deltas, d_h = slots.new_empty(slots.shape), grad.new_zeros(batch, hidden)
    d_gated = torch.empty_like(d_h)
    grad_, slots_, read_, reset_ = compiling.arrays(grad, slots, read, reset)
    deltas_, d_h_, d_gated_ = compiling.arrays(deltas, d_h, d_gated)
    delta_t = deltas.unbind(0)
    w_rz, w_n = Repeated(w_hh[:split], batch), Repeated(w_hh[split:], batch)
    for t in range(steps - 1, -1, -1):
        compiling.kernels().before_state_backward(t, grad_, slots_, read_, reset_, deltas_, d_h_)
        w_n.put(delta_t[t][:, split:], d_gated)
        compiling.kernels().before_gates_backward(t, d_gated_, slots_, read_, deltas_, d_h_)
        w_rz.add(delta_t[t][:, :split], d_h)
    compiling.stop_first(reset, d_h)
    return deltas, d_h


def _walk_back(
    grad: Tensor, w_hh: Tensor, reset: Tensor | None, read: Tensor, slots: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of the slots' sums (T, B, 3H), and of the state before all (B, H)."""
    resets = Resets(reset, len(grad))
    grad = grad.contiguous()  # and so is the gradient of the first state, as its fake says
    steps, batch, hidden = grad.shape
    deltas = torch.empty_like(slots)
    for_zn_t = deltas[..., hidden:].view(steps, batch, 2, hidden).unbind(0)  # T of (B, 2, H)
    for_r_t, _, for_n_t = (slot.unbind(0) for slot in deltas.chunk(3, dim=-1))
    for_rz_t = deltas[..., : 2 * hidden].unbind(0)
    r_t, z_t, _ = (slot.unbind(0) for slot in slots.chunk(3, dim=-1))
    w_rz, w_n, grad_t = w_hh[: 2 * hidden], w_hh[2 * hidden :], grad.unbind(0)
    d_h = grad.new_zeros(batch, hidden) if steps == 0 else grad_t[-1]
    for start, stop in chunks(steps, batch * hidden):
        factor_r, factor_zn = (f.unbind(0) for f in _factors(slots[start:stop], read[start:stop]))
        for t in range(stop - 1, start - 1, -1):
            torch.mul(d_h.unsqueeze(1), factor_zn[t - start], out=for_zn_t[t])
            d_gated = for_n_t[t] @ w_n  # of r * h
            torch.mul(d_gated, factor_r[t - start], out=for_r_t[t])
            past = t and not resets.any[t]
            d_h = torch.addcmul(grad_t[t - 1], d_h, z_t[t]) if past else d_h * z_t[t]
            d_h = d_h.addcmul_(d_gated, r_t[t]).addmm_(for_rz_t[t], w_rz)
            resets.stop(t, d_h)
            if t and not past:
                d_h.add_(grad_t[t - 1])
    return deltas, d_h


def _factors(slots: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
    """What multiplies gradients in the sums.

    Returns:
        (T, B, H): for r, of the gradient of r * h: h r (1 - r); and (T, B, 2, H): for z and n, of
        the gradient of the state: (h - n) z (1 - z) and (1 - z) (1 - n^2).
    """
    r, z, n = slots.chunk(3, dim=-1)
    for_r, for_zn = torch.empty_like(read), slots.new_empty(*read.shape[:2], 2, read.shape[2])
    sigmoid_backward(read, r, grad_input=for_r)
    sigmoid_backward(read - n, z, grad_input=for_zn[:, :, 0])
    tanh_backward(1 - z, n, grad_input=for_zn[:, :, 1])
    return for_r, for_zn


@gru_before_backward.register_fake
def _(
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
    return (
        x.new_empty(x.shape) if need_x else x.new_empty(0),
        x.new_empty(h0.shape),
        x.new_empty(w_ih.shape),
        x.new_empty(w_hh.shape),
        x.new_empty(w_ih.shape[0]),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, h0, w_ih, w_hh, bias, reset = inputs
    states, slots = output
    ctx.mark_non_differentiable(slots)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, h0, w_ih, w_hh, reset, states, slots)
    ctx.biased = bias is not None


def _differentiate(
    ctx: Any, grad: Tensor | None, _: Tensor | None, backward: Any = gru_before_backward
) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 6
    need_x = ctx.needs_input_grad[0]
    d_x, d_h0, d_w_ih, d_w_hh, d_bias = backward(grad, *ctx.saved_tensors, need_x)
    return d_x if need_x else None, d_h0, d_w_ih, d_w_hh, d_bias if ctx.biased else None, None


gru_before.register_autograd(_differentiate, setup_context=_save)
gru_before_backward.register_autograd(no_second_derivative)
gru_before_direct = direct(
    _forward_on_gpu, _backward_on_gpu, gru_before_backward, _save, _differentiate
)
