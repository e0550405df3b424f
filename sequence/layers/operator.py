"""What the operators of RNN, LSTM and GRU share: the recurrence, with resets inside the batch.

The engine under `RNN`, `LSTM` and `GRU`. Each kind is a torch custom operator (`sidestep::rnn`,
`sidestep::lstm`, `sidestep::gru`, `sidestep::gru_before`) with a fake kernel, for compilation and
export, and a hand-written backward:

1. the product of all inputs with W_ih is one matrix product;
2. the loop over t clears the reset rows and does one product in place (two for the GRU that resets
   before), with the gates' values kept in the buffer of their sums;
3. backward, the derivative factors are prepared for pieces of time that fit the cache, the loop
   does one product a step (two), and the gradient of W_hh is one product after the loop.

All take x (T, B, D), states (B, H), torch.nn's weights and row orders, and `reset` (T, B) boolean
or None: True where an episode starts at t, the state is cleared before x[t] is consumed, and no
gradient crosses. Tensors share one floating dtype and device. They give the states after each step,
(T, B, H).

An operator knows its first derivative, in reverse mode. Inside torch.func's transforms and for
dual tensors the cells run one step after another instead, in ordinary operations: slower, and right
at every order (`transformed`). A second derivative by `create_graph=True`, which cannot be foreseen
here, raises a `RuntimeError`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

sigmoid_backward: Callable[..., Tensor] = torch.ops.aten.sigmoid_backward.grad_input
"""g * s * (1 - s) into `grad_input`."""

tanh_backward: Callable[..., Tensor] = torch.ops.aten.tanh_backward.grad_input
"""g * (1 - y^2) into `grad_input`."""

CHUNK = 65536
"""Elements that the backward passes prepare at a time: they stay in the cache until they are used
(measured, docs/results.md), where one pass over all of (T, B, H) would go through memory."""


def add_biases(b_ih: Tensor | None, b_hh: Tensor | None) -> Tensor | None:
    """b_ih + b_hh, either of which may be missing."""
    if b_ih is None or b_hh is None:
        return b_hh if b_ih is None else b_ih
    return b_ih + b_hh


class Resets:
    """The reset pattern as the loops over time want it."""

    def __init__(self, reset: Tensor | None, steps: int) -> None:
        """Split the pattern.

        Args:
            reset: (T, B) boolean, or None for no reset at all.
            steps: T.
        """
        if reset is None:
            self.rows: tuple[Tensor, ...] = ()
            self.any: list[bool] = [False] * steps
        else:
            self.rows = reset.unsqueeze(-1).unbind(0)  # T of (B, 1)
            self.any = reset.any(1).tolist()

    def clear(self, t: int, state: Tensor) -> Tensor:
        """The state (B, H) that step t reads: cleared in the rows where an episode starts."""
        return state.masked_fill(self.rows[t], 0) if self.any[t] else state

    def stop(self, t: int, grad: Tensor) -> None:
        """Clear the gradient (B, H) that step t passes to the step before, where t starts anew."""
        if self.any[t]:
            grad.masked_fill_(self.rows[t], 0)


def transformed(*tensors: Tensor | None) -> bool:
    """Whether more is asked than an ordinary backward pass, which is all that an operator knows.

    True inside torch.func's transforms (jvp, jacfwd, grad, jacrev, hessian, vmap and their like),
    and where a tensor is dual (forward-mode derivatives): an operator would drop its tangent.
    """
    if torch._C._are_functorch_transforms_active():
        return True
    if torch.compiler.is_compiling():  # a graph for dual tensors, if any level of them is open
        return forward_ad._current_level >= 0
    unpack: Callable[[Tensor], Any] = forward_ad.unpack_dual
    return any(t is not None and unpack(t).tangent is not None for t in tensors)


def step_by_step(
    step: Callable[[Tensor, tuple[Tensor, ...]], Any],
    record: Any,
    x: Tensor,
    parts: tuple[Tensor, ...],
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


def read_states(states: Tensor, first: Tensor, reset: Tensor | None) -> Tensor:
    """What each step read: the state before it, cleared where an episode starts.

    Args:
        states: (T, B, H) the state after each step.
        first: (B, H) the state before all.
        reset: (T, B) boolean or None.

    Returns:
        (T, B, H), a copy.
    """
    read = torch.empty_like(states)
    read[:1] = first
    read[1:] = states[:-1]
    return read if reset is None else read.masked_fill_(reset.unsqueeze(-1), 0)


def chunks(steps: int, width: int) -> Iterator[tuple[int, int]]:
    """Pieces (start, stop) of 0..steps from the last to the first; `width` elements a step."""
    size = max(1, CHUNK // max(1, width))
    for stop in range(steps, 0, -size):
        yield max(0, stop - size), stop


def project(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """Out = x W^T + b over all steps at once: x (T, B, D), out (T, B, G) may be strided rows."""
    flat, target = x.flatten(0, 1), out.view(-1, out.shape[-1])
    if bias is None:
        torch.mm(flat, weight.t(), out=target)
    else:
        torch.addmm(bias, flat, weight.t(), out=target)


def input_grad(x: Tensor, grad: Tensor, weight: Tensor, needed: bool) -> Tensor:
    """The gradient of x in W x: x (T, B, D), grad (T, B, G) may be strided rows.

    Returns:
        (T, B, D), or of size 0 unless `needed`.
    """
    return (grad.flatten(0, 1) @ weight).view(x.shape) if needed else x.new_empty(0)


def weight_grad(grad: Tensor, read: Tensor) -> Tensor:
    """The gradient of W in W r, summed over time and batch, as one product.

    Args:
        grad: (T, B, G), may be strided rows.
        read: (T, B, D).

    Returns:
        (G, D).
    """
    return grad.flatten(0, 1).t() @ read.flatten(0, 1)


def no_second_derivative(ctx: Any, *grads: Any) -> Any:
    """Stands where the derivative of a backward pass would: a clear error."""
    raise RuntimeError(
        "the recurrence has no second derivative: call `trace` in the place of `forward`, which "
        "runs the cells in ordinary autograd"
    )
