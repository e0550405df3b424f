"""Where a training runs: the CPU or a GPU, by what is faster."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import nn

FASTER_FROM = {"tick": 6_000_000, "update": 16_000_000}
"""Multiply-adds from which on a GPU is faster than one thread of a CPU, by what is waited for: a
tick of all lanes, after which actions are chosen, or a whole update of a sequence model."""


class Work(NamedTuple):
    """What is computed before the next answer is waited for."""

    products: int
    """Multiply-adds of the network, over all rows."""
    unit: Literal["tick", "update"]

    @property
    def is_much(self) -> bool:
        """Whether a GPU is faster."""
        return self.products >= FASTER_FROM[self.unit]


def work_of(module: nn.Module, rows: int, unit: Literal["tick", "update"] = "update") -> Work:
    """What a module computes that applies its matrices to so many rows."""
    return Work(rows * sum(p.numel() for p in module.parameters() if p.dim() == 2), unit)


def device_of(name: str, work: Callable[[], Work] | None = None) -> str:
    """The torch device of the flag.

    Args:
        name: auto or a torch device.
        work: tells by what auto is decided, where there is a GPU; None: it is the CPU.

    Raises:
        ValueError: a device that is not there.
    """
    if name == "auto":
        if work is None or not torch.cuda.is_available():
            return "cpu"
        return "cuda" if work().is_much else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device: expected one that is there, got {name!r} ({error})") from None
    return name
