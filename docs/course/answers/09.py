"""Answers of chapter 09, attention: scores and the weighted sum."""

import torch
from torch import Tensor


def additive_scores(d: Tensor, e: Tensor, w: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Compute v^T tanh(W d + U e_s) for every s.

    Args:
        d: (Q,) the decoder's output.
        e: (T, M) the encoder's states.
        w: (H, Q).
        u: (H, M).
        v: (H,).

    Returns:
        (T,) scores.
    """
    return torch.tanh(w @ d + e @ u.T) @ v


def attend(scores: Tensor, e: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Weigh the encoder's states.

    Args:
        scores: (T,).
        e: (T, M) the encoder's states.
        valid: (T,) bool, False at padding; at least one is True.

    Returns:
        (M,) context, and (T,) weights, 0 at padding.
    """
    weights = scores.masked_fill(~valid, -torch.inf).softmax(0)
    return weights @ e, weights
