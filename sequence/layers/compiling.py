"""Between torch and the kernels on the CPU: who is served, and how tensors are handed over."""

import os
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

NOTHING = np.zeros((0, 0), np.bool_)
"""In the place of a pattern of resets."""


def serves(x: Tensor) -> bool:
    """Whether these kernels run what x is part of: on the CPU, in single or double precision."""
    return x.is_cpu and x.dtype in (torch.float32, torch.float64) and not _is_off()


@cache
def _is_off() -> bool:
    """Whether numba is told to compile nothing."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


@cache
def kernels() -> Any:
    """The kernels' module: it imports numba, which a layer that is only made can do without."""
    from . import kernels

    return kernels


def serve_step(x: Tensor) -> bool:
    """Whether these kernels run a step that nobody will ask for a derivative of."""
    return (
        type(x) is Tensor
        and not torch.is_grad_enabled()
        and serves(x)
        and forward_ad._current_level < 0  # no tensor can be dual
        and not torch._C._len_torch_dispatch_stack()
        and torch._C._get_tracing_state() is None
        and not torch.compiler.is_compiling()
    )


def arrays(*tensors: Tensor | None) -> list[Any]:
    """Tensors as kernels take them: they share memory where they are contiguous."""
    return [NOTHING if x is None else x.detach().contiguous().numpy() for x in tensors]


def first_read(h: Tensor, reset: Tensor | None) -> Tensor:
    """What the first step reads: a copy of the state before all, cleared where t = 0 is a start."""
    if reset is None or not len(reset):
        return h.clone(memory_format=torch.contiguous_format)
    return h.masked_fill(reset[0].unsqueeze(-1), 0).contiguous()


def stop_first(reset: Tensor | None, *grads: Tensor) -> None:
    """Clear the gradients (B, H) of the states before all where t = 0 is a start."""
    if reset is not None and len(reset):
        for grad in grads:
            grad.masked_fill_(reset[0].unsqueeze(-1), 0)
