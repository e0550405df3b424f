"""Returns of sequences with ends in them: pure functions, time-major.

Legend: r_tp1 the reward after a_t; v_tp1 the value of o_{t+1}; G_t the return from t on.
"""

import torch
from torch import Tensor


def lambda_returns(
    r_tp1: Tensor,
    v_tp1: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    discount: float,
    trace_decay: float,
) -> Tensor:
    """G_t = r_{t+1} + discount (1 - terminated_t) [(1 - lambda) v_{t+1} + lambda G_{t+1}].

    The recursion is cut at every end: a terminated step has no future, a truncated one and the
    last one of the sequence bootstrap from `v_tp1` alone. With lambda = 0 this is the one-step
    target, with lambda = 1 the Monte Carlo return (bootstrapped at cuts).

    Args:
        r_tp1: (T, B) rewards.
        v_tp1: (T, B) value of the next observation; where `truncated`, of the episode's last
            one. Ignored where `terminated`.
        terminated: (T, B) bool.
        truncated: (T, B) bool.
        discount: gamma in [0, 1].
        trace_decay: lambda in [0, 1].

    Returns:
        (T, B) returns, without gradient.

    Source: Sutton & Barto (2018), section 12.1, in its recursive form (eq. 12.18 for actions).
    """
    with torch.no_grad():
        goes_on = ~(terminated | truncated)
        ones = torch.ones_like(goes_on, dtype=torch.get_default_dtype())
        weight = ones.masked_fill_(goes_on, 1.0 - trace_decay)  # `where` would copy the number
        head = r_tp1 + discount * weight * v_tp1.masked_fill(terminated, 0.0)  # (T, B)
        tail = discount * trace_decay * goes_on  # (T, B)
        returns = torch.empty_like(head)
        g = v_tp1[-1] if len(v_tp1) else torch.empty(0)
        for t in range(len(head) - 1, -1, -1):
            g = torch.addcmul(head[t], tail[t], g, out=returns[t])
    return returns
