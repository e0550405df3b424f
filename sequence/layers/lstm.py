"""The LSTM: the layer, its recurrence over time, and the operator with a hand-written backward.

The slots of a step are g, i, f, o: forward, the three sigmoids are neighbours; backward, the three
that the cell's gradient reaches are. See `operator` for what all operators share.
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
from .operator import Resets, add_biases, project, transformed
from .products import Repeated, product
from .recurrent import Recurrent
from .steps import LSTMStep, Parts, Weights, lstm_step, step_by_step
from .torch_nn import copy_weights, torch_options


class LSTM(Recurrent):
    """The LSTM over (T, B, input_size): c' = f * c + i * g and h' = o * tanh(c').

    Args:
        input_size: D, features of x.
        hidden_size: H, features of the state.
        num_layers: layers, each reading the one below.
        device: as for `RNN`.
        dtype: as for `RNN`.
        **options: as for `RNN`; "orthogonal" starts with a forget bias of 1.

    The state is a pair (h, c) of tensors (num_layers * directions, B, H). Parameters have
    torch.nn.LSTM's names, so its `state_dict` loads; there is no projection (`proj_size`).

    Source: Hochreiter & Schmidhuber (1997); Gers et al. (2000) for the forget gate.
    """

    gates = 4
    part_names = ("h", "c")
    record = LSTMStep
    gate_words = MappingProxyType({"i": "lets in", "f": "keeps", "o": "shows"})
    gate_rows = MappingProxyType({"i": 0, "f": 1, "g": 2, "o": 3})
    forget_gate = 1
    span_gates = ((1, 1), (0, -1))  # what keeps, and what lets in

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        """Check the options and make the parameters."""
        super().__init__(input_size, hidden_size, num_layers, device=device, dtype=dtype, **options)
        gather(self)

    def cell_step(self, x: Tensor, parts: Parts, weights: Weights) -> LSTMStep:
        """One step by the specification."""
        if self.layer_norm:
            return normalised.lstm_step(x, parts[0], parts[1], weights)
        return steps.lstm_step(x, parts[0], parts[1], *weights[:4])

    def fast_step(self, x: Tensor, parts: Parts, weights: Any) -> Parts:
        """One step by torch's cell."""
        return torch.lstm_cell(x, parts, *weights)

    def compiled_step(self, x: Tensor, parts: Parts, weights: Any) -> tuple[Tensor, Parts] | None:
        """One step by a kernel."""
        w_ih, w_hh, b_ih, b_hh = weights
        past = parts[1].contiguous()
        y, h, c = torch.empty_like(past), torch.empty_like(past), torch.empty_like(past)
        from_x, from_h = product(x, w_ih, b_ih), product(parts[0], w_hh, b_hh)
        compiling.kernels().lstm_step(*(a.numpy() for a in (from_x, from_h, past, y, h, c)))
        return y, (h, c)

    def run_direction(
        self, x: Tensor, parts: Parts, weights: Weights, reset: Tensor | None
    ) -> Parts:
        """All steps by the masked recurrence."""
        return lstm_recurrence(x, parts[0], parts[1], *weights[:4], reset)

    def cudnn_mode(self) -> str:
        """Torch's word for the cell."""
        return "LSTM"

    def run_fused(self, x: Tensor, parts: Parts, flat: list[Tensor]) -> tuple[Tensor, Parts] | None:
        """All layers by oneDNN or cuDNN."""
        y, h, c = by_cudnn(torch.lstm, x, parts, flat, *self.fused_options())
        return y, (h, c)

    @classmethod
    def from_torch(cls, module: nn.LSTM) -> "LSTM":
        """A layer with the weights of `module`, frozen where they are; it computes the same.

        Raises:
            TypeError: `module` is another layer.
            ValueError: `module` is batch_first or has a projection.
        """
        return copy_weights(module, cls(**torch_options(module, nn.LSTM)))

    def to_torch(self) -> nn.LSTM:
        """A torch.nn.LSTM with these weights; it computes the same.

        Raises:
            ValueError: the layer has layer normalisation.
        """
        return copy_weights(self, nn.LSTM(**torch_options(self, LSTM)))


def lstm_recurrence(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    reset: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`steps.lstm_step` over time: h, c (B, H) are the first states; returns all h and all c."""
    if transformed(x, h, c, w_ih, w_hh, b_ih, b_hh):

        def step(x_t: Tensor, parts: Parts) -> LSTMStep:
            return lstm_step(x_t, parts[0], parts[1], w_ih, w_hh, b_ih, b_hh)

        record: LSTMStep = step_by_step(step, LSTMStep, x, (h, c), reset)
        return record.h, record.c
    run = lstm_direct if is_plain(x) else lstm
    hs, cs, _ = run(x, h, c, w_ih, w_hh, add_biases(b_ih, b_hh), reset)
    return hs, cs


def _to_slots(weight: Tensor) -> Tensor:
    """Rows i, f, g, o (torch's order) to g, i, f, o."""
    i, f, g, o = weight.chunk(4)
    return torch.cat([g, i, f, o])


def _from_slots(weight: Tensor) -> Tensor:
    """Rows g, i, f, o to i, f, g, o."""
    g, i, f, o = weight.chunk(4)
    return torch.cat([i, f, g, o])


def _forward(
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor | None,
    reset: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """All steps: x (T, B, D), h0 and c0 (B, H), bias b_ih + b_hh.

    Returns:
        h and c (T, B, H), and the slots (T, B, 4H).
    """
    steps, batch, _ = x.shape
    hidden = h0.shape[1]
    slots = project(x, _to_slots(w_ih), None if bias is None else _to_slots(bias))
    hs, cs = x.new_empty(steps, batch, hidden), x.new_empty(steps, batch, hidden)
    walk = _walk_compiled if compiling.serves(x) else _walk
    walk(slots, h0, c0, _to_slots(w_hh).t(), reset, hs, cs)
    return hs, cs, slots


def _walk_compiled(
    slots: Tensor,
    h0: Tensor,
    c0: Tensor,
    w_t: Tensor,
    reset: Tensor | None,
    hs: Tensor,
    cs: Tensor,
) -> None:
    """`_walk` with what lies between the products in one call a step."""
    read, read_c = compiling.first_read(h0, reset), compiling.first_read(c0, reset)
    known = compiling.arrays(slots, reset, read, read_c, hs, cs)
    weight = Repeated(w_t, len(read))
    for t, slot in enumerate(slots.unbind(0)):
        weight.add(read, slot)
        compiling.kernels().lstm_forward(t, *known)


def _walk(
    slots: Tensor,
    h0: Tensor,
    c0: Tensor,
    w_t: Tensor,
    reset: Tensor | None,
    hs: Tensor,
    cs: Tensor,
) -> None:
    """Fill in slots, states and cells (see `_forward`); the slots hold the products with x."""
    hidden, resets = h0.shape[1], Resets(reset, len(slots))
    slot_t, ifo_t = slots.unbind(0), slots[..., hidden:].unbind(0)
    g_t, i_t, f_t, o_t = (slot.unbind(0) for slot in slots.chunk(4, dim=-1))
    h, c = h0, c0
    for t, (h_t, c_t) in enumerate(zip(hs.unbind(0), cs.unbind(0), strict=True)):
        slot_t[t].addmm_(resets.clear(t, h), w_t)
        ifo_t[t].sigmoid_()
        g_t[t].tanh_()
        c = torch.mul(f_t[t], resets.clear(t, c), out=c_t).addcmul_(i_t[t], g_t[t])
        h = torch.mul(o_t[t], torch.tanh(c), out=h_t)


lstm = torch.library.custom_op("sidestep::lstm", _forward, mutates_args=())
_forward_on_gpu = on_gpu("lstm", _forward)
lstm.register_kernel("cuda")(_forward_on_gpu)


@lstm.register_fake
def _(
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor | None,
    reset: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    steps, batch, _ = x.shape
    hidden = h0.shape[1]
    h, c = x.new_empty(steps, batch, hidden), x.new_empty(steps, batch, hidden)
    return h, c, x.new_empty(steps, batch, 4 * hidden)


def _backward(
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
    """Gradients of x (of size 0 unless `need_x`), h0, c0, w_ih, w_hh and the bias."""
    grad_h = torch.zeros_like(hs) if grad_h is None else grad_h
    walk = _walk_back_compiled if compiling.serves(x) else _walk_back
    deltas, d_h0, d_c0 = walk(grad_h, grad_c, _to_slots(w_hh), reset, c0, cs, slots)
    return (
        input_grad(x, deltas, _to_slots(w_ih), need_x),
        d_h0,
        d_c0,
        _from_slots(weight_grad(deltas, x)),
        _from_slots(weight_grad(deltas, read_states(hs, h0, reset))),
        _from_slots(deltas.sum((0, 1))),
    )


lstm_backward = torch.library.custom_op("sidestep::lstm_backward", _backward, mutates_args=())
_backward_on_gpu = on_gpu("lstm_backward", _backward, at=2)
lstm_backward.register_kernel("cuda")(_backward_on_gpu)


def _walk_back_compiled(
    grad_h: Tensor,
    grad_c: Tensor | None,
    w_hh: Tensor,
    reset: Tensor | None,
    c0: Tensor,
    cs: Tensor,
    slots: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """`_walk_back` with what lies between the products in one call a step."""
    deltas = slots.new_empty(slots.shape)
    d_h, d_c = c0.new_zeros(c0.shape), c0.new_zeros(c0.shape)
    grad_c = grad_h.new_zeros(0, 0, 0) if grad_c is None else grad_c
    read_c = read_states(cs, c0, reset)
    known = compiling.arrays(grad_h, grad_c, slots, read_c, cs, reset, deltas, d_h, d_c)
    delta_t, weight = deltas.unbind(0), Repeated(w_hh, len(d_h))
    for t in range(len(slots) - 1, -1, -1):
        compiling.kernels().lstm_backward(t, *known)
        weight.put(delta_t[t], d_h)
    compiling.stop_first(reset, d_h, d_c)
    return deltas, d_h, d_c


def _walk_back(
    grad_h: Tensor,
    grad_c: Tensor | None,
    w_hh: Tensor,
    reset: Tensor | None,
    c0: Tensor,
    cs: Tensor,
    slots: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of the slots' sums (T, B, 4H), and of h and c before all (B, H)."""
    resets, read_c = Resets(reset, len(cs)), read_states(cs, c0, reset)
    steps, batch, hidden = grad_h.shape
    deltas = torch.empty_like(slots)
    delta_t, o_t = deltas.unbind(0), deltas[..., 3 * hidden :].unbind(0)
    gif_t = deltas[..., : 3 * hidden].view(steps, batch, 3, hidden).unbind(0)  # T of (B, 3, H)
    f_t, grad_t = slots[..., 2 * hidden : 3 * hidden].unbind(0), grad_h.unbind(0)
    d_c = cs.new_zeros(batch, hidden)
    d_h = torch.zeros_like(d_c) if steps == 0 else grad_t[-1]
    for start, stop in chunks(steps, batch * hidden):
        piece = slice(start, stop)
        factors = _factors(slots[piece], cs[piece], read_c[piece])
        for_gif, for_o, to_c = (factor.unbind(0) for factor in factors)
        for t in range(stop - 1, start - 1, -1):
            if grad_c is not None:
                d_c.add_(grad_c[t])
            d_c.addcmul_(d_h, to_c[t - start])
            torch.mul(d_c.unsqueeze(1), for_gif[t - start], out=gif_t[t])
            torch.mul(d_h, for_o[t - start], out=o_t[t])
            d_c.mul_(f_t[t])
            if t and not resets.any[t]:
                d_h = torch.addmm(grad_t[t - 1], delta_t[t], w_hh)
                continue
            d_h = delta_t[t] @ w_hh
            resets.stop(t, d_h)
            resets.stop(t, d_c)
            if t:
                d_h.add_(grad_t[t - 1])
    return deltas, d_h, d_c


def _factors(slots: Tensor, cs: Tensor, read_c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What multiplies gradients in the sums.

    Returns:
        (T, B, 3, H): for g, i, f, of the gradient of c: i (1 - g^2), g i (1 - i), c' f (1 - f) with
            c' the cell before;
        (T, B, H): for o, of the gradient of h: tanh(c) o (1 - o);
        (T, B, H): from h to c: o (1 - tanh(c)^2).
    """
    g, i, f, o = slots.chunk(4, dim=-1)
    for_gif = slots.new_empty(*cs.shape[:2], 3, cs.shape[2])
    shown = torch.tanh(cs)
    for_o, to_c = torch.empty_like(cs), torch.empty_like(cs)
    tanh_backward(i, g, grad_input=for_gif[:, :, 0])
    sigmoid_backward(g, i, grad_input=for_gif[:, :, 1])
    sigmoid_backward(read_c, f, grad_input=for_gif[:, :, 2])
    sigmoid_backward(shown, o, grad_input=for_o)
    tanh_backward(o, shown, grad_input=to_c)
    return for_gif, for_o, to_c


@lstm_backward.register_fake
def _(
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
    return (
        x.new_empty(x.shape) if need_x else x.new_empty(0),
        x.new_empty(h0.shape),
        x.new_empty(c0.shape),
        x.new_empty(w_ih.shape),
        x.new_empty(w_hh.shape),
        x.new_empty(w_ih.shape[0]),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    x, h0, c0, w_ih, w_hh, bias, reset = inputs
    ctx.mark_non_differentiable(output[2])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, h0, c0, w_ih, w_hh, reset, *output)
    ctx.biased = bias is not None


def _differentiate(
    ctx: Any,
    grad_h: Tensor | None,
    grad_c: Tensor | None,
    _: Tensor | None,
    backward: Any = lstm_backward,
) -> tuple[Tensor | None, ...]:
    if grad_h is None and grad_c is None:
        return (None,) * 7
    need_x = ctx.needs_input_grad[0]
    d_x, *others, d_bias = backward(grad_h, grad_c, *ctx.saved_tensors, need_x)
    return (d_x if need_x else None, *others, d_bias if ctx.biased else None, None)


lstm.register_autograd(_differentiate, setup_context=_save)
lstm_backward.register_autograd(no_second_derivative)
lstm_direct = direct(_forward_on_gpu, _backward_on_gpu, lstm_backward, _save, _differentiate)
