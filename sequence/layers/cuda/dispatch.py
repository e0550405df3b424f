"""Between the operators and the kernels: which way a call on a GPU runs."""

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from .plans import Plan, before, card_of, choose
from .precision import float32_precision

SWITCH = "SIDESTEP_TRITON"
"""The environment variable that turns the kernels off with 0, for comparison: read in each call."""


@cache
def has_triton() -> bool:
    """Whether Triton is installed."""
    return find_spec("triton") is not None


def plan_for(x: torch.Tensor, hidden: int, back: bool = False) -> Plan | None:
    """How the kernels run x (T, B, D) on its device, or None where the loop of steps runs."""
    if os.environ.get(SWITCH) == "0" or not has_triton():
        return None
    return choose(hidden, x.shape[1], x.dtype, back, card_of(x.device.index))


def on_gpu(name: str, loop: Callable[..., Any], at: int = 0) -> Callable[..., Any]:
    """What an operator runs on a GPU: the kernels by a plan, else the loop of steps.

    Args:
        name: of the function in `operators`.
        loop: what runs on every other device; takes the same arguments.
        at: where x is among them; h0 follows, and of a backward pass gradients come first.
    """
    resets_before = name.startswith("gru_before")

    def run(*arguments: Any) -> Any:
        x, h0 = arguments[at], arguments[at + 1]
        plan = plan_for(x, h0.shape[1], at > 0)
        if plan is not None and resets_before:
            plan = before(plan)
        if plan is None:
            return loop(*arguments)
        from . import operators  # imports Triton

        function: Callable[..., Any] = getattr(operators, name)
        if x.device.index == torch.cuda.current_device():  # where Triton launches
            return function(plan, float32_precision(), *arguments)
        with torch.cuda.device(x.device):
            return function(plan, float32_precision(), *arguments)

    return run


def is_plain(x: torch.Tensor) -> bool:
    """Whether an operator may be called without torch's dispatcher: eagerly, on a GPU.

    A custom operator's way through the dispatcher costs the host as much as all else that a small
    batch asks of it, and while it takes that way the GPU waits.
    """
    return (
        x.is_cuda
        and type(x) is torch.Tensor
        and not torch.compiler.is_compiling()
        and not torch._C._len_torch_dispatch_stack()
    )


def direct(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    operator_backward: Callable[..., Any],
    save: Callable[..., None],
    differentiate: Callable[..., Any],
) -> Any:
    """The `apply` of an operator's twin outside the dispatcher, see `is_plain`.

    Args:
        forward: what the operator runs on a GPU.
        backward: what its backward runs there.
        operator_backward: that as an operator, where its own derivative may be asked for.
        save: the operator's `setup_context`.
        differentiate: its backward formula; takes the function that computes as `backward`.
    """

    def compute(*arguments: Any) -> Any:
        return (operator_backward if torch.is_grad_enabled() else backward)(*arguments)

    class Direct(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *arguments: Any) -> Any:  # one with setup_context is slower by half
            outputs = forward(*arguments)
            save(ctx, arguments, outputs)
            return outputs

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return differentiate(ctx, *grads, backward=compute)

    return Direct.apply
