"""The GRU: the layer, its recurrence over time, and the operator that resets after the product.

One buffer of the operator holds four slots of H for each step. Going forward they are n, r, z and
u, where u = U_n h + b_hn is what r multiplies: the product with x fills (n, r, z), that with h
(r, z, u). Going backward the slots hold the gradients of the same sums, so that each product takes
three neighbours and nothing is copied. See `operator` for what all operators share, and
`gru_before` for the other convention.
"""

from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from sidestep.sequence.chunks import gather

from . import compiling, normalised, steps
from .cuda.dispatch import direct, is_plain, on_gpu
from .cuda.precision import by_cudnn
from .derivative import (
    chunks,
    input_grad,
    no_second_derivative,
    read_states,
    sigmoid_backward,
    tanh_backward,
    weight_grad,
)
from .gru_before import gru_before, gru_before_direct, step_before
from .operator import Resets, add_biases, project, transformed
from .products import Repeated, product
from .recurrent import Recurrent
from .steps import GRUStep, Parts, Weights, gru_step, step_by_step
from .torch_nn import copy_weights, torch_options


class GRU(Recurrent):
    """The GRU over (T, B, input_size): h' = (1 - z) * n + z * h.

    Args:
        input_size: D, features of x.
        hidden_size: H, features of the state.
        num_layers: layers, each reading the one below.
        reset_after: where the reset gate acts in the candidate n: after the product with h (torch,
            cuDNN, Keras' default) or before it (Cho et al., Chung et al., ONNX' default). Two
            different functions; weights of one do not serve the other.
        device: as for `RNN`.
        dtype: as for `RNN`.
        **options: as for `RNN`.

    z weighs the past, as in torch; weights of the other convention convert with `flip_update_gate`.
    The state is a tensor (num_layers * directions, B, H). Parameters have torch.nn.GRU's names, so
    its `state_dict` loads where `reset_after` is True.

    Source: Cho et al. (2014), arXiv 1406.1078; Chung et al. (2014), arXiv 1412.3555.
    """

    gates = 3
    part_names = ("h",)
    record = GRUStep
    gate_words = MappingProxyType({"r": "uses past", "z": "keeps"})
    gate_rows = MappingProxyType({"r": 0, "z": 1, "n": 2})
    span_gates = ((1, 1),)  # z, which keeps

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        reset_after: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        """Check the options and make the parameters."""
        super().__init__(input_size, hidden_size, num_layers, device=device, dtype=dtype, **options)
        self.reset_after = reset_after
        gather(self)

    def cell_step(self, x: Tensor, parts: Parts, weights: Weights) -> GRUStep:
        """One step by the specification."""
        if self.layer_norm:
            return normalised.gru_step(x, parts[0], weights, self.reset_after)
        return steps.gru_step(x, parts[0], *weights[:4], reset_after=self.reset_after)

    def fast_step(self, x: Tensor, parts: Parts, weights: Any) -> Parts:
        """One step by torch's cell where it has one."""
        if self.reset_after:
            return (torch.gru_cell(x, parts[0], *weights),)
        return (step_before(x, parts[0], weights),)

    def compiled_step(self, x: Tensor, parts: Parts, weights: Any) -> tuple[Tensor, Parts] | None:
        """One step by a kernel, for the GRU that resets after the product."""
        if not self.reset_after:
            return None
        w_ih, w_hh, b_ih, b_hh = weights
        h = parts[0].contiguous()
        y, new = torch.empty_like(h), torch.empty_like(h)
        from_x, from_h = product(x, w_ih, b_ih), product(h, w_hh, b_hh)
        compiling.kernels().gru_step(
            from_x.numpy(), from_h.numpy(), h.numpy(), y.numpy(), new.numpy()
        )
        return y, (new,)

    def run_direction(
        self, x: Tensor, parts: Parts, weights: Weights, reset: Tensor | None
    ) -> Parts:
        """All steps by the masked recurrence."""
        return (gru_recurrence(x, parts[0], *weights[:4], reset, self.reset_after),)

    def cudnn_mode(self) -> str | None:
        """Torch's word for the cell; it has none that resets before the product."""
        return "GRU" if self.reset_after else None

    def run_fused(self, x: Tensor, parts: Parts, flat: list[Tensor]) -> tuple[Tensor, Parts] | None:
        """All layers by cuDNN, for its own convention; see `RNN.run_fused` for the CPU."""
        if x.is_cpu or not self.reset_after:
            return None
        y, h = by_cudnn(torch.gru, x, parts[0], flat, *self.fused_options())
        return y, (h,)

    @classmethod
    def from_torch(cls, module: nn.GRU) -> "GRU":
        """A layer with the weights of `module`, frozen where they are; it computes the same.

        Raises:
            TypeError: `module` is another layer.
            ValueError: `module` is batch_first.
        """
        return copy_weights(module, cls(**torch_options(module, nn.GRU)))

    def to_torch(self) -> nn.GRU:
        """A torch.nn.GRU with these weights; it computes the same.

        Raises:
            ValueError: the layer resets before the product, or has layer normalisation.
        """
        if not self.reset_after:
            raise ValueError(
                "expected reset_after=True: torch.nn.GRU cannot compute the GRU that resets before "
                "the product"
            )
        return copy_weights(self, nn.GRU(**torch_options(self, GRU)))


def gru_recurrence(
    x: Tensor,
    h: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    reset: Tensor | None = None,
    reset_after: bool = True,
) -> Tensor:
    """`steps.gru_step` over time (z weighs the past): h (B, H) is the first; returns all states."""
    states: Tensor
    if transformed(x, h, w_ih, w_hh, b_ih, b_hh):

        def step(x_t: Tensor, parts: Parts) -> GRUStep:
            return gru_step(x_t, parts[0], w_ih, w_hh, b_ih, b_hh, reset_after=reset_after)

        states = step_by_step(step, GRUStep, x, (h,), reset).h
    elif reset_after:
        if b_ih is None and b_hh is not None:
            b_ih = torch.zeros_like(b_hh)
        elif b_hh is None and b_ih is not None:
            b_hh = torch.zeros_like(b_ih)
        run = gru_direct if is_plain(x) else gru
        states, _ = run(x, h, w_ih, w_hh, b_ih, b_hh, reset)
    else:
        run = gru_before_direct if is_plain(x) else gru_before
        states, _ = run(x, h, w_ih, w_hh, add_biases(b_ih, b_hh), reset)
    return states


def _n_first(weight: Tensor) -> Tensor:
    """Rows r, z, n (torch's order) to n, r, z (the slots')."""
    third = weight.shape[0] // 3
    return torch.cat([weight[2 * third :], weight[: 2 * third]])


def _n_last(weight: Tensor) -> Tensor:
    """Rows n, r, z to r, z, n."""
    third = weight.shape[0] // 3
    return torch.cat([weight[third:], weight[:third]])


def _forward(
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    reset: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """All steps: x (T, B, D), h0 (B, H); the states (T, B, H) and the slots (T, B, 4H)."""
    steps, batch, _ = x.shape
    hidden = h0.shape[1]
    slots = x.new_empty(steps, batch, 4 * hidden)
    bias = None
    if b_ih is not None and b_hh is not None:
        bias = _n_first(b_ih)
        bias[hidden:] += b_hh[: 2 * hidden]
        slots[..., 3 * hidden :] = b_hh[2 * hidden :]
    else:
        slots[..., 3 * hidden :] = 0
    slots[..., : 3 * hidden] = project(x, _n_first(w_ih), bias)
    states = x.new_empty(steps, batch, hidden)
    walk = _walk_compiled if compiling.serves(x) else _walk
    walk(slots, h0, w_hh.t(), reset, states)
    return states, slots


def _walk_compiled(
    slots: Tensor, h0: Tensor, w_t: Tensor, reset: Tensor | None, states: Tensor
) -> None:
    """`_walk` with what lies between the products in one call a step."""
    read = compiling.first_read(h0, reset)
    known = compiling.arrays(slots, reset, read, states)
    weight = Repeated(w_t, len(read))
    for t, rzu in enumerate(slots[..., h0.shape[1] :].unbind(0)):
        weight.add(read, rzu)
        compiling.kernels().gru_forward(t, *known)


def _walk(slots: Tensor, h0: Tensor, w_t: Tensor, reset: Tensor | None, states: Tensor) -> None:
    """Fill in slots and states (see `_forward`); the slots hold the products with x."""
    hidden, resets = h0.shape[1], Resets(reset, len(slots))
    n_t, r_t, z_t, u_t = (slot.unbind(0) for slot in slots.chunk(4, dim=-1))
    rzu_t, rz_t = slots[..., hidden:].unbind(0), slots[..., hidden : 3 * hidden].unbind(0)
    h = h0
    for t, h_t in enumerate(states.unbind(0)):
        h = resets.clear(t, h)
        rzu_t[t].addmm_(h, w_t)
        rz_t[t].sigmoid_()
        n_t[t].addcmul_(r_t[t], u_t[t]).tanh_()
        h = torch.lerp(n_t[t], h, z_t[t], out=h_t)  # (1 - z) * n + z * h


gru = torch.library.custom_op("sidestep::gru", _forward, mutates_args=())
_forward_on_gpu = on_gpu("gru", _forward)
gru.register_kernel("cuda")(_forward_on_gpu)


@gru.register_fake
def _(
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    reset: Tensor | None,
) -> tuple[Tensor, Tensor]:
    steps, batch, _ = x.shape
    hidden = h0.shape[1]
    return x.new_empty(steps, batch, hidden), x.new_empty(steps, batch, 4 * hidden)


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
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x (of size 0 unless `need_x`), h0, w_ih, w_hh, b_ih and b_hh."""
    read = read_states(states, h0, reset)
    walk = _walk_back_compiled if compiling.serves(x) else _walk_back
    deltas, d_h0 = walk(grad, w_hh, reset, read, slots)
    hidden = h0.shape[1]
    from_x, from_h = deltas[..., : 3 * hidden], deltas[..., hidden:]
    bias = deltas.sum((0, 1))  # (4H,)
    return (
        input_grad(x, from_x, _n_first(w_ih), need_x),
        d_h0,
        _n_last(weight_grad(from_x, x)),
        weight_grad(from_h, read),
        _n_last(bias[: 3 * hidden]),
        bias[hidden:].clone(),
    )


gru_backward = torch.library.custom_op("sidestep::gru_backward", _backward, mutates_args=())
_backward_on_gpu = on_gpu("gru_backward", _backward, at=1)
gru_backward.register_kernel("cuda")(_backward_on_gpu)


def _walk_back_compiled(
    grad: Tensor, w_hh: Tensor, reset: Tensor | None, read: Tensor, slots: Tensor
) -> tuple[Tensor, Tensor]:
    """`_walk_back` with what lies between the products in one call a step."""
    steps, batch, hidden = grad.shape
    deltas, d_h = slots.new_empty(slots.shape), grad.new_zeros(batch, hidden)
    known = compiling.arrays(grad, slots, read, reset, deltas, d_h)
    rzu_t, weight = deltas[..., hidden:].unbind(0), Repeated(w_hh, batch)
    for t in range(steps - 1, -1, -1):
        compiling.kernels().gru_backward(t, *known)
        weight.add(rzu_t[t], d_h)
    compiling.stop_first(reset, d_h)
    return deltas, d_h


def _walk_back(
    grad: Tensor, w_hh: Tensor, reset: Tensor | None, read: Tensor, slots: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of the slots' sums (T, B, 4H), and of the state before all (B, H)."""
    resets = Resets(reset, len(grad))
    grad = grad.contiguous()  # and so is the gradient of the first state, as its fake says
    steps, batch, hidden = grad.shape
    deltas = torch.empty_like(slots)
    delta_t = deltas.view(steps, batch, 4, hidden).unbind(0)  # T of (B, 4, H)
    rzu_t, grad_t = deltas[..., hidden:].unbind(0), grad.unbind(0)
    z_t = slots[..., 2 * hidden : 3 * hidden].unbind(0)
    d_h = grad.new_zeros(batch, hidden) if steps == 0 else grad_t[-1]
    for start, stop in chunks(steps, batch * hidden):
        factors = _factors(slots[start:stop], read[start:stop]).unbind(0)
        for t in range(stop - 1, start - 1, -1):
            torch.mul(d_h.unsqueeze(1), factors[t - start], out=delta_t[t])
            if t == 0 or resets.any[t]:
                d_h = (d_h * z_t[t]).addmm_(rzu_t[t], w_hh)
                resets.stop(t, d_h)
                d_h = d_h.add_(grad_t[t - 1]) if t else d_h
            else:
                d_h = torch.addcmul(grad_t[t - 1], d_h, z_t[t]).addmm_(rzu_t[t], w_hh)
    return deltas, d_h


def _factors(slots: Tensor, read: Tensor) -> Tensor:
    """By what a step's sums for n, r, z, u multiply the gradient of its state: (T, B, 4, H).

    n: (1 - z) (1 - n^2); r: n's factor times u r (1 - r); z: (h - n) z (1 - z); u: n's times r.
    """
    n, r, z, u = slots.chunk(4, dim=-1)
    factors = slots.new_empty(*read.shape[:2], 4, read.shape[2])
    for_n, for_r, for_z, for_u = factors.unbind(2)
    tanh_backward(1 - z, n, grad_input=for_n)
    sigmoid_backward(for_n * u, r, grad_input=for_r)
    sigmoid_backward(read - n, z, grad_input=for_z)
    torch.mul(for_n, r, out=for_u)
    return factors


@gru_backward.register_fake
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
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    rows = w_ih.shape[0]
    return (
        x.new_empty(x.shape) if need_x else x.new_empty(0),
        x.new_empty(h0.shape),
        x.new_empty(w_ih.shape),
        x.new_empty(w_hh.shape),
        x.new_empty(rows),
        x.new_empty(rows),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, h0, w_ih, w_hh, b_ih, _, reset = inputs
    states, slots = output
    ctx.mark_non_differentiable(slots)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, h0, w_ih, w_hh, reset, states, slots)
    ctx.biased = b_ih is not None


def _differentiate(
    ctx: Any, grad: Tensor | None, _: Tensor | None, backward: Any = gru_backward
) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 7
    need_x = ctx.needs_input_grad[0]
    d_x, d_h0, *weights, d_b_ih, d_b_hh = backward(grad, *ctx.saved_tensors, need_x)
    biases = (d_b_ih, d_b_hh) if ctx.biased else (None, None)
    return (d_x if need_x else None, d_h0, *weights, *biases, None)


gru.register_autograd(_differentiate, setup_context=_save)
gru_backward.register_autograd(no_second_derivative)
gru_direct = direct(_forward_on_gpu, _backward_on_gpu, gru_backward, _save, _differentiate)
