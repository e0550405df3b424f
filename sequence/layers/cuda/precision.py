"""One precision for float32, by the kernels and by cuDNN: what torch's switch for products says.

cuDNN has a switch of its own, which allows TF32 by default: a batch with a reset and one without
would be computed to different accuracies.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


def float32_precision() -> str:
    """How float32 products are made: "tf32" where torch's own switch allows it, else "tf32x3".

    tf32x3 is three products, as exact as float32. The switch is that of torch's matrix products,
    under its new name, which reads what was set under either.
    """
    matmul: Any = torch.backends.cuda.matmul
    return "tf32" if matmul.fp32_precision == "tf32" else "tf32x3"


@contextmanager
def one_precision(wanted: str) -> Iterator[None]:
    """Give cuDNN's recurrence the precision of `float32_precision` for a while."""
    rnn: Any = torch.backends.cudnn.rnn
    before, now = rnn.fp32_precision, "tf32" if wanted == "tf32" else "ieee"
    if before == now:
        yield
        return
    rnn.fp32_precision = now
    try:
        yield
    finally:
        rnn.fp32_precision = before


def by_cudnn(run: Callable[..., tuple[Tensor, ...]], x: Tensor, *arguments: Any) -> Any:
    """Call torch's recurrence so that its backward, whenever it comes, has this precision too."""
    if not x.is_cuda or x.dtype != torch.float32:
        return run(x, *arguments)
    precision = float32_precision()
    with one_precision(precision):
        outputs = run(x, *arguments)
    node: Any = outputs[0].grad_fn
    if node is not None:
        inside: list[Any] = []

        def enter(_: Any) -> None:
            inside.append(one_precision(precision))
            inside[-1].__enter__()

        def leave(*_: Any) -> None:
            inside.pop().__exit__(None, None, None)

        node.register_prehook(enter)
        node.register_hook(leave)
    return outputs
