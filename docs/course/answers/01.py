"""Answers of chapter 01."""

import numpy as np
from numpy.typing import NDArray


def transition_table(symbols: NDArray[np.int64], size: int, added: float) -> NDArray[np.float64]:
    """Count a Markov model: symbols (T,), V, a; (V, V), [w, s] is p(s | w)."""
    counts = np.full((size, size), float(added))
    np.add.at(counts, (symbols[:-1], symbols[1:]), 1)
    totals = counts.sum(1, keepdims=True)
    return np.where(totals > 0, counts / np.where(totals > 0, totals, 1), 1 / size)


def log_probability(
    symbols: NDArray[np.int64], first: NDArray[np.float64], table: NDArray[np.float64]
) -> float:
    """Sum ln p(x_1) and ln p(x_t | x_{t-1}) over t > 1: (T,), (V,), (V, V)."""
    later = np.log(table[symbols[:-1], symbols[1:]]).sum()
    return float(np.log(first[symbols[0]]) + later)
