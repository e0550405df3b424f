"""The RNN: the layer, its recurrence over time, and the operator with a hand-written backward.

The states are the operator's only buffer; see `operator` for what all of them share.
"""

from typing import Any

import torch
from torch import Tensor, nn

from sidestep.sequence.chunks import gather

from . import compiling, normalised, steps
from .cuda.dispatch import direct, is_plain, on_gpu
from .cuda.precision import by_cudnn
from .derivative import chunks, input_grad, no_second_derivative, read_states, weight_grad
from .operator import Resets, add_biases, project, transformed
from .products import Repeated
from .recurrent import Recurrent
from .steps import Nonlinearity, Parts, RNNStep, Weights, rnn_step, step_by_step
from .torch_nn import copy_weights, torch_options

NONLINEARITIES = ("tanh", "relu")


class RNN(Recurrent):
    """Elman's RNN over (T, B, input_size), h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input_size: D, features of x.
        hidden_size: H, features of the state.
        num_layers: layers, each reading the one below.
        nonlinearity: "tanh" or "relu".
        device: of the parameters; on "meta" they have no numbers until `to_empty` and
            `reset_parameters`.
        dtype: of the parameters, floating.
        **options: `bias`, `bidirectional`, `dropout` (between layers, in [0, 1)), `layer_norm`
            (see `normalised`; runs at the speed of a loop over cells), `init` ("orthogonal" or
            "torch", see `initialise`), `generator`.

    The state is a tensor (num_layers * directions, B, H). Parameters have torch.nn.RNN's names, so
    its `state_dict` loads.

    Source: Elman (1990), Finding structure in time.
    """

    gates = 1
    part_names = ("h",)
    record = RNNStep

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: Nonlinearity = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        """Check the options and make the parameters."""
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(
                f"expected nonlinearity to be one of {NONLINEARITIES}, got {nonlinearity!r}"
            )
        super().__init__(input_size, hidden_size, num_layers, device=device, dtype=dtype, **options)
        self.nonlinearity: Nonlinearity = nonlinearity
        gather(self)

    def cell_step(self, x: Tensor, parts: Parts, weights: Weights) -> RNNStep:
        """One step by the specification."""
        if self.layer_norm:
            return normalised.rnn_step(x, parts[0], weights, self.nonlinearity)
        return steps.rnn_step(x, parts[0], *weights[:4], nonlinearity=self.nonlinearity)

    def fast_step(self, x: Tensor, parts: Parts, weights: Any) -> Parts:
        """One step by torch's cell."""
        cell = torch.rnn_tanh_cell if self.nonlinearity == "tanh" else torch.rnn_relu_cell
        return (cell(x, parts[0], *weights),)

    def run_direction(
        self, x: Tensor, parts: Parts, weights: Weights, reset: Tensor | None
    ) -> Parts:
        """All steps by the masked recurrence."""
        return (rnn_recurrence(x, parts[0], *weights[:4], reset, self.nonlinearity),)

    def cudnn_mode(self) -> str:
        """Torch's word for the cell."""
        return f"RNN_{self.nonlinearity.upper()}"

    def run_fused(self, x: Tensor, parts: Parts, flat: list[Tensor]) -> tuple[Tensor, Parts] | None:
        """All layers by cuDNN; torch's loop on a CPU is slower than the masked recurrence."""
        if x.is_cpu:
            return None
        run = torch.rnn_tanh if self.nonlinearity == "tanh" else torch.rnn_relu
        y, h = by_cudnn(run, x, parts[0], flat, *self.fused_options())
        return y, (h,)

    @classmethod
    def from_torch(cls, module: nn.RNN) -> "RNN":
        """A layer with the weights of `module`, frozen where they are; it computes the same.

        Raises:
            TypeError: `module` is another layer.
            ValueError: `module` is batch_first.
        """
        layer = cls(nonlinearity=module.nonlinearity, **torch_options(module, nn.RNN))
        return copy_weights(module, layer)

    def to_torch(self) -> nn.RNN:
        """A torch.nn.RNN with these weights; it computes the same.

        Raises:
            ValueError: the layer has layer normalisation.
        """
        return copy_weights(
            self, nn.RNN(nonlinearity=self.nonlinearity, **torch_options(self, RNN))
        )


def rnn_recurrence(
    x: Tensor,
    h: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    reset: Tensor | None = None,
    nonlinearity: Nonlinearity = "tanh",
) -> Tensor:
    """`steps.rnn_step` over time: h (B, H) is the first state; returns all, (T, B, H)."""
    states: Tensor
    if transformed(x, h, w_ih, w_hh, b_ih, b_hh):

        def step(x_t: Tensor, parts: Parts) -> RNNStep:
            return rnn_step(x_t, parts[0], w_ih, w_hh, b_ih, b_hh, nonlinearity=nonlinearity)

        states = step_by_step(step, RNNStep, x, (h,), reset).h
        return states
    run = rnn_direct if is_plain(x) else rnn
    states = run(x, h, w_ih, w_hh, add_biases(b_ih, b_hh), reset, nonlinearity == "relu")
    return states


def _forward(
    x: Tensor,
    h0: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor | None,
    reset: Tensor | None,
    relu: bool,
) -> Tensor:
    """All steps: x (T, B, D), h0 (B, H), bias b_ih + b_hh; the states (T, B, H)."""
    states = project(x, w_ih, bias)
    walk = _walk_compiled if compiling.serves(x) else _walk
    walk(states, h0, w_hh.t(), reset, relu)
    return states


def _walk_compiled(
    states: Tensor, h0: Tensor, w_t: Tensor, reset: Tensor | None, relu: bool
) -> None:
    """`_walk` with what lies between the products in one call a step."""
    read = compiling.first_read(h0, reset)
    known = compiling.arrays(states, reset, read)
    weight = Repeated(w_t, len(read))
    for t, h in enumerate(states.unbind(0)):
        weight.add(read, h)
        compiling.kernels().rnn_forward(t, *known, relu)


def _walk(states: Tensor, h0: Tensor, w_t: Tensor, reset: Tensor | None, relu: bool) -> None:
    """Fill in the states, in whose place the products with x stand."""
    resets, h = Resets(reset, len(states)), h0
    for t, h_t in enumerate(states.unbind(0)):
        h = h_t.addmm_(resets.clear(t, h), w_t)
        h = h.relu_() if relu else h.tanh_()


rnn = torch.library.custom_op("sidestep::rnn", _forward, mutates_args=())
_forward_on_gpu = on_gpu("rnn", _forward)
rnn.register_kernel("cuda")(_forward_on_gpu)


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


def _backward(
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
    walk = _walk_back_compiled if compiling.serves(x) else _walk_back
    deltas, d_h0 = walk(grad, w_hh, reset, states, relu)
    return (
        input_grad(x, deltas, w_ih, need_x),
        d_h0,
        weight_grad(deltas, x),
        weight_grad(deltas, read_states(states, h0, reset)),
        deltas.sum((0, 1)),
    )


rnn_backward = torch.library.custom_op("sidestep::rnn_backward", _backward, mutates_args=())
_backward_on_gpu = on_gpu("rnn_backward", _backward, at=1)
rnn_backward.register_kernel("cuda")(_backward_on_gpu)


def _walk_back_compiled(
    grad: Tensor, w_hh: Tensor, reset: Tensor | None, states: Tensor, relu: bool
) -> tuple[Tensor, Tensor]:
    """`_walk_back` with what lies between the products in one call a step."""
    deltas, d_h = states.new_empty(states.shape), grad.new_zeros(grad.shape[1:])
    grad_, states_, reset_, *others = compiling.arrays(grad, states, reset, deltas, d_h)
    weight = Repeated(w_hh, len(d_h))
    for t in range(len(grad) - 1, -1, -1):
        compiling.kernels().rnn_backward(t, grad_, states_, reset_, relu, *others)
        weight.put(deltas[t], d_h)
    compiling.stop_first(reset, d_h)
    return deltas, d_h


def _walk_back(
    grad: Tensor, w_hh: Tensor, reset: Tensor | None, states: Tensor, relu: bool
) -> tuple[Tensor, Tensor]:
    """The gradients of the sums inside tanh (T, B, H), and of the state before all (B, H)."""
    resets = Resets(reset, len(grad))
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


def _differentiate(
    ctx: Any, grad: Tensor, backward: Any = rnn_backward
) -> tuple[Tensor | None, ...]:
    need_x = ctx.needs_input_grad[0]
    gradients = backward(grad, *ctx.saved_tensors, ctx.relu, need_x)
    d_x, d_h0, d_w_ih, d_w_hh, d_bias = gradients
    return d_x if need_x else None, d_h0, d_w_ih, d_w_hh, d_bias if ctx.biased else None, None, None


rnn.register_autograd(_differentiate, setup_context=_save)
rnn_backward.register_autograd(no_second_derivative)
rnn_direct = direct(_forward_on_gpu, _backward_on_gpu, rnn_backward, _save, _differentiate)
