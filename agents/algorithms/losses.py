"""Targets, baselines and losses: pure functions of tensors.

Legend: q_t, q_tp1 action values of o_t and o_{t+1}; a_t the action played at t; logits_t scores of
the policy; G_t the return from t on; valid False where nothing was played. Losses are sums; the
caller divides by its count, so that parts of a batch add up to the whole.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def masked(scores: Tensor, mask: Tensor | None) -> Tensor:
    """`scores` (..., A) with the least finite number where an action is not allowed."""
    if mask is None:
        return scores
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)


def chosen(values: Tensor, action: Tensor) -> Tensor:
    """values[..., action]: (..., A) and (...) to (...)."""
    return values.gather(-1, action.unsqueeze(-1)).squeeze(-1)


def expected_value(q: Tensor, epsilon: float, mask: Tensor | None = None) -> Tensor:
    """Expectation of q under the epsilon-greedy policy, (1 - epsilon) max q + epsilon mean q.

    Args:
        q: (..., A) action values.
        epsilon: probability of a uniformly drawn action.
        mask: (..., A) bool, the allowed actions; None: all.

    Returns:
        (...) values.

    Source: van Seijen et al. (2009), eq. 5; Sutton & Barto (2018), eq. 6.9.
    """
    greedy = masked(q, mask).amax(-1)
    if mask is None:
        return (1 - epsilon) * greedy + epsilon * q.mean(-1)
    mean = (q * mask).sum(-1) / mask.sum(-1).clamp(min=1)
    return (1 - epsilon) * greedy + epsilon * mean


def value_error(prediction: Tensor, target: Tensor, valid: Tensor, loss: str) -> Tensor:
    """Sum over valid steps of the Huber (delta 1) or half squared error.

    Args:
        prediction: (T, B) with gradient.
        target: (T, B) without.
        valid: (T, B) bool.
        loss: "huber" or "squared"; the gradient of the second is the textbook's TD error.

    Returns:
        () sum.

    Raises:
        ValueError: another loss.
    """
    match loss:
        case "huber":
            return (F.smooth_l1_loss(prediction, target, reduction="none") * valid).sum()
        case "squared":
            return 0.5 * (F.mse_loss(prediction, target, reduction="none") * valid).sum()
    raise ValueError(f"loss: expected huber or squared, got {loss!r}")


def policy_gradient(
    logits_t: Tensor, a_t: Tensor, advantage_t: Tensor, valid: Tensor
) -> tuple[Tensor, Tensor]:
    """The surrogate -sum log pi(a_t | o_t) A_t over valid steps, and the policy's entropy.

    Args:
        logits_t: (T, B, A) with gradient, masked already.
        a_t: (T, B) played actions.
        advantage_t: (T, B) without gradient.
        valid: (T, B) bool.

    Returns:
        () surrogate, and () sum of entropies in nats.

    Source: Williams (1992); Sutton & Barto (2018), section 13.4.
    """
    log_pi = torch.log_softmax(logits_t, -1)  # (T, B, A)
    surrogate = -(chosen(log_pi, a_t) * advantage_t.detach() * valid).sum()
    entropy = -((log_pi.exp() * log_pi).sum(-1) * valid).sum()
    return surrogate, entropy


class Alive(NamedTuple):
    """What the steps t of all episodes of a batch come to."""

    returns: Tensor
    """(T, 1) sum of G_t over the episodes that are alive at t."""
    number: Tensor
    """(T, 1) their number."""


def alive_in(returns: Tensor, valid: Tensor) -> Alive:
    """The sums over the episodes (T, B), where `valid`."""
    return Alive((returns * valid).sum(1, keepdim=True), valid.sum(1, keepdim=True))


def mean_of_others(returns: Tensor, valid: Tensor, batch: Alive | None = None) -> Tensor:
    """For each episode the mean of G over all steps of the other episodes.

    Args:
        returns: (T, B) an episode a lane.
        valid: (T, B) bool.
        batch: of the whole batch, where these episodes are a part of it; None: they are all.

    Returns:
        (1, B) baseline; 0 where there is no other episode. It does not depend on the episode's own
        actions, so the gradient's expectation is unchanged.
    """
    totals, counts = (returns * valid).sum(0), valid.sum(0)  # (B,)
    total, count = (totals, counts) if batch is None else batch
    others = count.sum() - counts
    return ((total.sum() - totals) / others.clamp(min=1) * (others > 0)).unsqueeze(0)


def leave_one_out(returns: Tensor, valid: Tensor, batch: Alive | None = None) -> Tensor:
    """For each step t the mean of G_t over the other episodes that are still alive at t.

    Args:
        returns: (T, B) an episode a lane.
        valid: (T, B) bool.
        batch: of the whole batch, with as many steps, where these episodes are a part of it.

    Returns:
        (T, B) baseline; 0 where no other episode is alive.

    Source: Kool et al. (2019), applied per step.
    """
    alive = alive_in(returns, valid) if batch is None else batch
    others = alive.number - valid.long()  # (T, B)
    return (alive.returns - returns * valid) / others.clamp(min=1) * (others > 0)


def standardised(
    advantage: Tensor, valid: Tensor, batch: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Advantages less their mean, over their deviation, both over valid steps.

    Args:
        advantage: (T, B) without gradient.
        valid: (T, B) bool; where nothing is, the advantages come back as they are.
        batch: mean and deviation () over the whole batch, where this is a part of it.

    Returns:
        (T, B) advantages; 0 where all valid ones are equal.
    """
    steps = advantage[valid]
    if len(steps) == 0:
        return advantage
    mean, deviation = (steps.mean(), steps.std(correction=0)) if batch is None else batch
    return (advantage - mean) / (deviation + 1e-8)
