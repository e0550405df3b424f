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

On a GPU the loop is one kernel for all of time where there is a plan for the sizes (see `cuda`).

An operator knows its first derivative, in reverse mode. Inside torch.func's transforms and for
dual tensors the cells run one step after another instead, in ordinary operations: slower, and right
at every order (`transformed`). A second derivative by `create_graph=True`, which cannot be foreseen
here, raises a `RuntimeError`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .products import product


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
            # A look at the pattern would make the host wait for a device: there, clear always.
            self.any = reset.any(1).tolist() if reset.is_cpu else [True] * steps

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
    if forward_ad._current_level < 0:  # no level is open in which a tensor could be dual
        return False
    if torch.compiler.is_compiling():  # a graph for dual tensors
        return True
    unpack: Callable[[Tensor], Any] = forward_ad.unpack_dual
    return any(t is not None and unpack(t).tangent is not None for t in tensors)


def project(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """X W^T + b over all steps at once: x (T, B, D) to (T, B, G), contiguous."""
    return product(x.flatten(0, 1), weight, bias).view(*x.shape[:2], weight.shape[0])
