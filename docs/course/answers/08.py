"""Answers of chapter 08, sequence to sequence: the context of each row, and greedy writing."""

from collections.abc import Callable

import torch
from torch import Tensor

PAD, BEGIN, END = 0, 1, 2
Stepper = Callable[[int, Tensor], tuple[Tensor, Tensor]]


def contexts(y: Tensor, lengths: Tensor) -> Tensor:
    """Find the encoder's state after each row's own last symbol.

    Args:
        y: (T, B, H) the states after each step; behind a row's end stands padding.
        lengths: (B,) int64 in 1..T.

    Returns:
        (B, H).
    """
    return y[lengths - 1, torch.arange(y.shape[1])]


def write_greedily(step: Stepper, context: Tensor, max_length: int) -> list[int]:
    """Write the most probable symbol at each step, until END (2) or `max_length` steps.

    Args:
        step: takes the last symbol and the state; returns logits (V,) and the new state.
        context: the decoder's first state.
        max_length: at most so many steps, END counted.

    Returns:
        The symbols, without BEGIN (1) and END; PAD (0) and BEGIN are never written.
    """
    symbol, state, written = BEGIN, context, []
    for _ in range(max_length):
        logits, state = step(symbol, state)
        symbol = int(logits[END:].argmax()) + END
        if symbol == END:
            break
        written.append(symbol)
    return written
