"""Rows of different lengths in one time-major tensor, without packing.

Row b is valid at t < lengths[b]; the rest is padding. `lengths=None` means that all T steps are.
"""

import torch
from torch import Tensor


def padding(lengths: Tensor, steps: int) -> Tensor:
    """(T, B) boolean, True at padding.

    Args:
        lengths: (B,) integers in 0..T.
        steps: T.
    """
    return torch.arange(steps, device=lengths.device).unsqueeze(1) >= lengths


def flip_rows(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse the time of each row's valid part; padding stays at the end. Its own inverse.

    Args:
        x: (T, B, ...).
        lengths: (B,) or None.
    """
    if lengths is None:
        return x.flip(0)
    t = torch.arange(x.shape[0], device=x.device).unsqueeze(1)  # (T, 1)
    t = torch.where(t < lengths, lengths - 1 - t, t)  # (T, B)
    return x.gather(0, t.view(*t.shape, *[1] * (x.ndim - 2)).expand_as(x))


def reverse_reset(reset: Tensor, lengths: Tensor | None) -> Tensor:
    """The reset pattern seen by a layer that reads from the end.

    Where an episode starts at t, the step before t is, read backwards, the first of another one.

    Args:
        reset: (T, B) boolean.
        lengths: (B,) or None.

    Returns:
        (T, B) boolean, in the flipped time of `flip_rows`.
    """
    last = torch.arange(reset.shape[0], device=reset.device).unsqueeze(1) == reset.shape[0] - 1
    before = reset.roll(-1, 0) & ~last  # of one size with reset, which export must see
    return flip_rows(before, lengths)


def at_end(states: Tensor, first: Tensor, lengths: Tensor | None) -> Tensor:
    """The state after each row's last valid step.

    Args:
        states: (T, B, H) the state after each step.
        first: (B, H) the state before all, taken where a row has no step.
        lengths: (B,) or None.

    Returns:
        (B, H).
    """
    if states.shape[0] == 0:
        return first
    if lengths is None:
        return states[-1]
    last = (lengths - 1).clamp(min=0).view(1, -1, 1).expand(1, -1, states.shape[2])
    return torch.where((lengths > 0).unsqueeze(1), states.gather(0, last.long())[0], first)
