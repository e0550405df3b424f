"""Answers of chapter 07, forecasting: several steps ahead, and scaling that does not look ahead."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def ar_forecast(past: Values, intercept: float, weights: Values, steps: int) -> Values:
    """Forecast the next values, each from those before, forecasts among them.

    Args:
        past: (N,) the series, the newest value last; N >= tau.
        intercept: a.
        weights: (tau,) for the last tau values, the oldest first.
        steps: K >= 1.

    Returns:
        (K,) forecasts.
    """
    known = list(past[-len(weights) :])
    for _ in range(steps):
        known.append(intercept + float(np.dot(weights, known[-len(weights) :])))
    return np.array(known[len(weights) :])


def scale(series: Values, training: int) -> Values:
    """Subtract the mean and divide by the deviation, both of the training part alone.

    Args:
        series: (N,) in the order of time.
        training: how many of its first values are the training part; they are not all the same.

    Returns:
        (N,) the scaled series.
    """
    part = series[:training]
    return np.asarray((series - part.mean()) / part.std())
