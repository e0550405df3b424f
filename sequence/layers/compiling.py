"""Between torch and compiled code on the CPU: who is served, how tensors are handed over, numba."""

import os
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc"}}
"""Products and sums may be joined, sums reordered, and a division by 0 is as numpy's."""
NOTHING = np.zeros((0, 0), np.bool_)
"""In the place of a pattern of resets."""


def serves(x: Tensor) -> bool:
    """Whether these kernels run what x is part of: on the CPU, in single or double precision."""
    return x.is_cpu and x.dtype in (torch.float32, torch.float64) and not _is_off()


@cache
def _is_off() -> bool:
    """Whether numba is told to compile nothing."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def serve_step(x: Tensor) -> bool:
    """Whether these kernels run a step that nobody will ask for a derivative of."""
    plain = type(x) is Tensor and not torch._C._len_torch_dispatch_stack()
    return plain and not torch.is_grad_enabled() and not torch.compiler.is_compiling() and serves(x)


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


def compiled(function: Any) -> Any:
    """`numba.njit` with numba's cache, where a folder for it can be written."""
    import numba

    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:
        return numba.njit(**OPTIONS)(function)


def inlined(function: Any) -> Any:
    """A part of kernels."""
    import numba

    return numba.njit(inline="always", **OPTIONS)(function)
