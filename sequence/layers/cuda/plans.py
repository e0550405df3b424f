"""Which sizes run how: one table, measured on an H100 (docs/results.md), and no tuning at run time.

- `tile`: a program has all units of its rows and walks over all of time alone.
- `split`: the units are split, the state goes through memory, and the programs of a row tile meet
  at a barrier after every step; all of them must run at once, so the grid must fit the card.
- `step`: a launch a step, in the place of the barrier.
"""

from functools import cache
from typing import NamedTuple

import torch

ROWS = (16, 32, 64, 128)


class Plan(NamedTuple):
    """How the kernels run."""

    kind: str
    rows: int
    """Of the batch, to a program."""
    units: int
    """To a program; for `tile` a power of two that holds all."""
    depth: int
    """Units that a product takes at a time."""
    resident: bool
    """W is loaded once and kept on the chip, not loaded in every step."""
    warps: int
    stages: int
    stacked: bool = False
    """The products of all gates are made at one time, a warp to a gate; not for `tile`."""


def choose(
    gates: int, hidden: int, batch: int, dtype: torch.dtype, precision: str, processors: int
) -> Plan | None:
    """The plan for these sizes, or None where the loop of steps is right or better.

    Args:
        gates: products with the state in a step: 1, 3 or 4.
        hidden: H.
        batch: B.
        dtype: of all tensors.
        precision: of float32 products, "tf32" or "tf32x3".
        processors: that the card has (SMs).
    """
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return None
    width = max(16, power(hidden))
    short, exact = dtype != torch.float32, dtype == torch.float32 and precision != "tf32"
    if width <= 64 or (width == 128 and short):
        rows = 16 if batch <= 1024 else 32
        return Plan("tile", rows, width, width, True, 8 if exact or width > 64 else rows // 4, 2)
    if width == 128:
        units, depth, resident, stages = 16, 128, True, 1
    elif width == 256:
        units, depth, resident, stages = (16, 64, False, 3) if exact else (16, 256, True, 1)
    else:
        units, depth, resident, stages = 16, 128 if short else 64, False, 3 if exact else 2
    across = -(-hidden // units)
    fitting = [rows for rows in ROWS if -(-batch // rows) * across <= processors]
    kind, rows = ("split", fitting[0]) if fitting else ("step", 64)
    stacked = rows == 16
    if not stacked:  # larger tiles of the batch: W is read in pieces
        resident, depth, stages = False, min(depth, 64), 2
    return Plan(kind, rows, units, depth, resident, 4, stages, stacked)


def power(number: int) -> int:
    """The power of two that holds `number`."""
    return 1 << (number - 1).bit_length()


@cache
def processors_of(index: int) -> int:
    """How many processors (SMs) a card has."""
    return int(torch.cuda.get_device_properties(index).multi_processor_count)
