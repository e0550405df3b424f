"""Answers of chapter 03."""

import math

from torch import Tensor


def chain_gradient(
    x: Tensor, w_xh: float, w_hh: float, b: float, h_1: float, relu: bool
) -> tuple[float, float, float]:
    """Give power, slopes and gradient of h_T by h_1: x (T,), x[0] is not used."""
    h, power, slopes = h_1, 1.0, 1.0
    for x_t in x[1:].tolist():
        a = w_xh * x_t + w_hh * h + b
        h = max(0.0, a) if relu else math.tanh(a)
        power *= w_hh
        slopes *= float(a > 0) if relu else 1 - h * h
    return power, slopes, power * slopes


def truncated_gradient(x: Tensor, w_xh: float, w_hh: float, b: float, steps: int) -> float:
    """Give dh_T / dw_hh through the last `steps` steps only, h_0 = 0: x (T,)."""
    h, gradient = 0.0, 0.0
    for t, x_t in enumerate(x.tolist()):
        before, h = h, math.tanh(w_xh * x_t + w_hh * h + b)
        through = t >= len(x) - steps
        gradient = (1 - h * h) * (before + w_hh * gradient) if through else 0.0
    return gradient
