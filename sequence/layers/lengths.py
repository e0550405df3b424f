"""Rows of different lengths in one time-major tensor, without packing: what is padding, and checks.

Row b is valid at t < lengths[b]; the rest is padding. `lengths=None` means that all T steps are.
"""

import torch
from torch import Tensor

from sidestep.sequence.arguments import shape


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


def check_lengths(lengths: object, steps: int, batch: int, device: torch.device) -> Tensor:
    """Refuse lengths that are not integers in 0..T, one per row of the batch.

    Returns:
        Them as int64, (B,): sums with T would not fit into narrower integers.
    """
    if not isinstance(lengths, Tensor):
        raise TypeError(
            f"expected lengths to be an integer tensor ({batch},), got {type(lengths).__name__}"
        )
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise TypeError(f"expected lengths to be integers, got {lengths.dtype}")
    if lengths.shape != (batch,):
        raise ValueError(f"expected lengths of shape ({batch},), got {shape(lengths)}")
    if lengths.device != device:
        raise ValueError(f"expected lengths on {device} as x, got {lengths.device}")
    known = bounds(lengths)
    if known is not None and (known[0] < 0 or known[1] > steps):
        raise ValueError(f"expected lengths in 0..{steps}, got {known[0]}..{known[1]}")
    return lengths.long()


def bounds(lengths: Tensor) -> tuple[int, int] | None:
    """The smallest and the largest, of all rows of a vmap at once.

    None where the values are not known (while a graph is traced, on the meta device) or there are
    none.
    """
    if torch.compiler.is_compiling() or lengths.is_meta or not lengths.numel():
        return None
    while torch._C._functorch.is_functorch_wrapped_tensor(lengths):
        lengths = torch._C._functorch.get_unwrapped(lengths)
    return int(lengths.min()), int(lengths.max())


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
