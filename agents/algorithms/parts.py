"""What the shards of a batch add to one step, and their sum."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sidestep.sequence.fitting.optimise import gradient_of

from .ranks import Ranks


class Part(NamedTuple):
    """What the lanes of one shard add to a step down."""

    loss: Tensor
    """() sum, with its graph."""
    divisor: Tensor
    """() by which the sum over all shards is divided."""
    figures: Mapping[str, Tensor]
    """() sums for the log, by name."""
    gradient: Tensor | None = None
    """Of `loss`, in its place already; None: it is to be found along the graph."""


def gather_gradient(
    parts: Iterable[Part], flat: nn.Parameter, ranks: Ranks
) -> tuple[Tensor, dict[str, Tensor]]:
    """Put the gradient of the losses' sum over their counts' sum in its place.

    A shard's gradient travels with its loss, count and figures as one row, and rows are added up in
    the shards' order: the sum is the same to the last bit in however many processes.

    Args:
        parts: of this process's shards, one after another.
        flat: of `flatten_parameters`, which gets the gradient.
        ranks: who has which shards.

    Returns:
        The loss (), and the sums: `count` and the figures.
    """
    rows, names = [], ["count"]
    for part in parts:
        gradient = part.gradient if part.gradient is not None else gradient_of(part.loss, flat)
        names = ["count", *part.figures]
        tail = [part.loss, part.divisor, *part.figures.values()]
        told = torch.stack([figure.detach().to(gradient.dtype) for figure in tail])
        rows.append(torch.cat([gradient, told]))
    total, told = torch.split(ranks.summed(rows), [len(flat), 1 + len(names)])
    loss, *sums = told.unbind()
    count = sums[0].clamp(min=1)  # nothing may have been played
    assert flat.grad is not None
    flat.grad.copy_(total / count)
    return loss / count, dict(zip(names, sums, strict=True))
