"""Masks of allowed actions, where they come from two sources or on some ticks only."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .types import Inputs


def merge_masks(
    begun: Tensor | None, mask: Tensor | None, ended: NDArray[np.bool_]
) -> Tensor | None:
    """The mask `begun` in the lanes that ended and restarted, `mask` in the others."""
    if begun is None and mask is None:
        return None
    some = mask if begun is None else begun
    assert some is not None
    free = torch.ones_like(some)
    rows = torch.from_numpy(ended).to(some.device).unsqueeze(1)
    return torch.where(rows, free if begun is None else begun, free if mask is None else mask)


def same_masks(inputs: list[Inputs], num_actions: int) -> list[Inputs]:
    """All with a mask or all without: an env may send it on some ticks only."""
    if all(part.mask is None for part in inputs):
        return inputs
    free = torch.ones(
        (*inputs[0].reset.shape, num_actions), dtype=torch.bool, device=inputs[0].reset.device
    )
    return [part if part.mask is not None else part._replace(mask=free) for part in inputs]
