"""Answers of chapter 06, language models: the cost of a sequence, and the unit that follows."""

import torch
from torch import Tensor


def sequence_nats(logits: Tensor, target: Tensor) -> Tensor:
    """Sum the cross-entropies of softmax(logits) against the target, in nats.

    Args:
        logits: (T, V), of any size.
        target: (T,) int64, the symbol that follows at each step.

    Returns:
        A scalar.
    """
    log_p = logits - logits.logsumexp(dim=-1, keepdim=True)
    return -log_p[torch.arange(len(target)), target].sum()


def best_follower(units: Tensor, values: Tensor) -> int:
    """Find the unit with the largest correlation with a property, whatever its sign.

    Args:
        units: (T, U) activations; each unit changes within the text.
        values: (T,) the property; it changes within the text.

    Returns:
        The unit's number, in 0..U-1.
    """
    centred, wanted = units - units.mean(0), values - values.mean()
    correlation = wanted @ centred / (centred.norm(dim=0) * wanted.norm())
    return int(correlation.abs().argmax())
