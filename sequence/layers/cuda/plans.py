"""Which sizes run how: one table, measured on an H100 (docs/results.md), and no tuning at run time.

- `tile`: a program has all units of its rows and walks over all of time alone.
- `split`: the units are split, the state goes through memory, and the programs of a row tile meet
  at a barrier after every step; all of them must run at once, so the grid must fit the card.
- `step`: a launch a step, in the place of the barrier.
"""

from functools import cache, lru_cache
from typing import Any, NamedTuple

import torch


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


class Card(NamedTuple):
    """What a plan must fit."""

    processors: int
    """SMs."""
    shared: int
    """Bytes of shared memory that a program can have."""


H100, A100 = Card(132, 232448), Card(108, 166912)

SPLITS = ((16, 8), (16, 16), (32, 16), (32, 32), (128, 16))
"""Rows and units of a program, the quickest first: the first whose grid fits the card is taken."""


@lru_cache(1024)
def choose(
    hidden: int, batch: int, dtype: torch.dtype, back: bool, card: Card = H100
) -> Plan | None:
    """The plan for these sizes, or None where the loop of steps is right.

    Args:
        hidden: H.
        batch: B.
        dtype: of all tensors.
        back: the backward pass, which reads more.
        card: that it runs on.
    """
    if dtype not in (torch.float32, torch.bfloat16, torch.float16) or card.shared < A100.shared:
        return None
    width, short = max(16, power(hidden)), dtype != torch.float32

    def fits(rows: int, units: int) -> bool:
        return -(-batch // rows) * -(-hidden // units) <= card.processors

    if width == 64 and not (short or back) and fits(16, 32):
        return Plan("split", 16, 32, 64, True, 4, 1, stacked=True)
    if width == 128 and short and not back and fits(16, 16):
        return Plan("split", 16, 16, 128, True, 4, 1, stacked=True)
    roomy = not back or card.shared >= H100.shared
    if width <= 64 or (width == 128 and short and roomy):
        return _tile(width, batch, short, back, card)
    fitting = [size for size in SPLITS if fits(*size)]
    if not fitting:
        return Plan("step", 32, 32, 32, False, 4, 3, stacked=True)
    return _split(*fitting[0], width, short, back)


def _tile(width: int, batch: int, short: bool, back: bool, card: Card) -> Plan:
    if short:
        return Plan("tile", 16, width, width, True, 8 if width == 128 else 4, 2)
    roomy = card.shared >= H100.shared
    rows = 32 if batch > 1024 and width == 64 and roomy else 16
    stages = 2 if roomy or not back else 1
    return Plan("tile", rows, width, width, True, 4 if back and rows == 16 else 8, stages)


def _split(rows: int, units: int, width: int, short: bool, back: bool) -> Plan:
    if rows == 128:
        return Plan("split", rows, units, 32, False, 8, 2)
    if not short:
        depth, stages = 32 if units == 32 else 64, 2 if width == 128 and rows == 16 else 3
        return Plan("split", rows, units, depth, False, 4, stages, stacked=True)
    if rows == 16 and width == 256:
        return Plan("split", 16, 16, 256, True, 4, 1, stacked=True)
    if units == 32 and back:
        return Plan("split", 64, 16, 128, False, 4, 2)
    return Plan("split", rows, max(units, 16), 128, False, 4, 2, stacked=True)


def before(plan: Plan) -> Plan | None:
    """The same for the GRU that resets before, which meets twice a step and loads W in each."""
    if plan.kind == "step":
        return None
    if plan.kind == "tile":
        return plan._replace(rows=16, warps=8)
    return plan._replace(warps=8) if plan.units == 32 else plan


def power(number: int) -> int:
    """The power of two that holds `number`."""
    return 1 << (number - 1).bit_length()


@cache
def card_of(index: int) -> Card:
    """What a device has."""
    found: Any = torch.cuda.get_device_properties(index)
    return Card(found.multi_processor_count, found.shared_memory_per_block_optin)
