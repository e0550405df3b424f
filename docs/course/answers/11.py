"""Answers of chapter 11, policy gradient: returns, and the gradient of the loss."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def returns(rewards: Tensor, discount: float) -> Tensor:
    """Compute G_t = r_{t+1} + discount * G_{t+1} of one episode that has ended.

    Args:
        rewards: (T,) r_1 .. r_T.
        discount: gamma.

    Returns:
        (T,) G_0 .. G_{T-1}.
    """
    found = torch.empty_like(rewards)
    following = rewards.new_zeros(())
    for t in range(len(rewards) - 1, -1, -1):
        following = rewards[t] + discount * following
        found[t] = following
    return found


def loss_gradient(logits: Tensor, actions: Tensor, weights: Tensor) -> Tensor:
    """Compute the gradient of -sum over t of weights_t * log softmax(logits_t)[a_t], by hand.

    Args:
        logits: (T, A) scores of the policy.
        actions: (T,) int64, the actions that were played.
        weights: (T,) returns or advantages.

    Returns:
        (T, A) the gradient with respect to the logits.
    """
    played = one_hot(actions, logits.shape[1]).to(logits.dtype)
    return weights.unsqueeze(1) * (logits.softmax(1) - played)
