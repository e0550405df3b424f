"""Answers of chapter 10, Deep SARSA: the target and one update."""

from torch import Tensor


def sarsa_targets(
    reward: Tensor, q_next: Tensor, a_next: Tensor, terminated: Tensor, discount: float
) -> Tensor:
    """Compute r_{t+1} + discount * Q(o_{t+1}, a_{t+1}), without the second term after an end.

    Args:
        reward: (B,) r_{t+1}.
        q_next: (B, A) action values of o_{t+1}.
        a_next: (B,) int64, the actions that will be played there.
        terminated: (B,) bool.
        discount: gamma.

    Returns:
        (B,) targets.
    """
    following = q_next.gather(1, a_next.unsqueeze(1)).squeeze(1)
    return reward + discount * following.masked_fill(terminated, 0.0)


def sarsa_update(w: Tensor, x: Tensor, action: int, target: float, rate: float) -> Tensor:
    """Take one step down half the squared error of Q(x, action) = w[action] . x, the target fixed.

    Args:
        w: (A, D) weights.
        x: (D,) features of o_t.
        action: a_t.
        target: a number that does not depend on w.
        rate: the step size.

    Returns:
        (A, D) the new weights; w itself is unchanged.
    """
    new = w.clone()
    new[action] += rate * (target - w[action] @ x) * x
    return new
