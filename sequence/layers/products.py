"""Matrix products on the CPU, by whichever of torch's two libraries is faster.

Torch multiplies matrices in single precision by MKL, which on processors of other makers than its
own uses half of what they can do; oneDNN, with which torch comes as well, uses all of it. A call of
oneDNN costs 10 microseconds more, so small products stay where they are. Measured on an EPYC with
AVX-512, one thread: 1024 x 64 by 64 x 256 takes 140 microseconds for 298, 32 x 256 by 256 x 1024
79 for 165, 8 x 64 by 64 x 256 11 for 4.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

LARGE, HUGE = 2_000_000, 100_000_000
"""Multiply-adds from which on oneDNN is asked: for sizes that are multiples of 16, and for any.

It prepares itself for every new size, for 0.2 to 1.5 ms (measured): where sizes are as they come,
as in batches of whole episodes, small products would wait for that again and again.
"""
_linear: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
_pack: Any = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)


def by_onednn(x: Tensor, size: int) -> bool:
    """Whether a product with x of so many multiply-adds is oneDNN's."""
    return (
        size >= LARGE
        and x.is_cpu
        and x.dtype == torch.float32
        and _linear is not None
        and _pack is not None
        and torch._C._has_mkldnn
        and torch._C._get_mkldnn_enabled()  # by the user, too: torch.backends.mkldnn.flags
    )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """X W^T + b.

    Args:
        x: (R, K).
        weight: (N, K).
        bias: (N,) or None.

    Returns:
        (R, N), contiguous.
    """
    recurs = not (x.shape[0] % 16 or x.shape[1] % 16)
    size = x.numel() * weight.shape[0]
    if by_onednn(x, size if recurs or size >= HUGE else 0):
        y: Tensor = _linear(_close(x), _close(weight), bias, "none", [], "")
        return y
    return linear(x, weight, bias)


def _close(matrix: Tensor) -> Tensor:
    """The matrix with rows or columns that lie one after the other, copied if need be.

    For any other oneDNN has a way that takes a thousand times as long (measured: 128 ms for 0.1).
    """
    if matrix.is_contiguous() or matrix.t().is_contiguous():
        return matrix
    return matrix.t().contiguous().t() if matrix.stride(0) == 1 else matrix.contiguous()


class Repeated:
    """Products of (R, K) by one weight (K, N), which is laid out for them once."""

    def __init__(self, weight: Tensor, rows: int) -> None:
        """Lay the weight out for `rows` rows."""
        self.weight, self.packed = weight, None
        if by_onednn(weight, rows * weight.numel()):
            self.packed = _pack(weight.t().contiguous(), rows)

    def put(self, x: Tensor, out: Tensor) -> None:
        """Out = x W."""
        if self.packed is None:
            torch.mm(x, self.weight, out=out)
        else:
            out.copy_(_linear(_close(x), self.packed, None, "none", [], ""))

    def add(self, x: Tensor, out: Tensor) -> None:
        """Out += x W."""
        if self.packed is None:
            out.addmm_(x, self.weight)
        else:
            out.add_(_linear(_close(x), self.packed, None, "none", [], ""))
