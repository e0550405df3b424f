"""What the backward passes of the operators share: what was read, pieces of time, and products.

See `operator` for how a backward pass goes.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from .products import product

sigmoid_backward: Callable[..., Tensor] = torch.ops.aten.sigmoid_backward.grad_input
"""g * s * (1 - s) into `grad_input`."""

tanh_backward: Callable[..., Tensor] = torch.ops.aten.tanh_backward.grad_input
"""g * (1 - y^2) into `grad_input`."""

CHUNK = 65536
"""Elements that the backward passes prepare at a time: they stay in the cache until they are used
(measured, docs/results.md), where one pass over all of (T, B, H) would go through memory."""


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


def input_grad(x: Tensor, grad: Tensor, weight: Tensor, needed: bool) -> Tensor:
    """The gradient of x in W x: x (T, B, D), grad (T, B, G) may be strided rows.

    Returns:
        (T, B, D), or of size 0 unless `needed`.
    """
    if not needed:
        return x.new_empty(0)
    return product(grad.flatten(0, 1), weight.t()).view(x.shape)


def weight_grad(grad: Tensor, read: Tensor) -> Tensor:
    """The gradient of W in W r, summed over time and batch, as one product.

    Args:
        grad: (T, B, G), may be strided rows.
        read: (T, B, D).

    Returns:
        (G, D).
    """
    rows = product(read.flatten(0, 1).t(), grad.flatten(0, 1).t())  # so round it is faster
    return rows.t().contiguous()


def no_second_derivative(ctx: Any, *grads: Any) -> Any:
    """Stands where the derivative of a backward pass would: a clear error."""
    raise RuntimeError(
        "the recurrence has no second derivative: call `trace` in the place of `forward`, which "
        "runs the cells in ordinary autograd"
    )
