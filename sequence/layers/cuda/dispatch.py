"""Between the operators and the kernels: which way a call on a GPU runs."""

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from .plans import Plan, choose, processors_of
from .precision import float32_precision

SWITCH = "SIDESTEP_TRITON"
"""The environment variable that turns the kernels off with 0, for comparison: read in each call."""


@cache
def has_triton() -> bool:
    """Whether Triton is installed."""
    return find_spec("triton") is not None


def plan_for(gates: int, x: torch.Tensor, hidden: int) -> Plan | None:
    """How the kernels run x (T, B, D) on its device, or None where the loop of steps runs."""
    if os.environ.get(SWITCH) == "0" or not has_triton():
        return None
    processors = processors_of(x.device.index)
    return choose(gates, hidden, x.shape[1], x.dtype, float32_precision(), processors)


def on_gpu(name: str, gates: int, loop: Callable[..., Any], at: int = 0) -> Callable[..., Any]:
    """What an operator runs on a GPU: the kernels by a plan, else the loop of steps.

    Args:
        name: of the function in `operators`.
        gates: products with the state in a step.
        loop: what runs on every other device; takes the same arguments.
        at: where x is among them; h0 follows.
    """

    def run(*arguments: Any) -> Any:
        x, h0 = arguments[at], arguments[at + 1]
        plan = plan_for(gates, x, h0.shape[1])
        if plan is None:
            return loop(*arguments)
        from . import operators  # imports Triton

        function: Callable[..., Any] = getattr(operators, name)
        with torch.cuda.device(x.device):  # Triton launches on the current one
            return function(plan, float32_precision(), *arguments)

    return run
