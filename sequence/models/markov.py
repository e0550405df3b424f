"""Markov and window models over symbols: counted, smoothed, sampled.

    window    p(x_1 .. x_T) = prod over t of p(x_t | x_{t-1}, .., x_{t-tau})
    Markov    the same with tau = 1

Symbols are integers 0..V-1. Before a sequence begins stands a symbol of its own, V, as often as the
window is long, so the first symbols have probabilities too and those of all strings of any one
length sum to 1.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Symbols = NDArray[np.int64]


class _Counts(NamedTuple):
    """How often each symbol followed each window of one length; sorted by code."""

    codes: Symbols  # (M,) window * V + symbol
    times: Symbols  # (M,)
    windows: Symbols  # (C,) distinct windows
    totals: Symbols  # (C,) symbols that followed the window
    kinds: Symbols  # (C,) distinct ones among them


class WindowModel:
    """p(x_t | x_{t-1}, .., x_{t-tau}) from counts.

    Two smoothings. With a number, `smoothing` is added to every count (Laplace's rule is 1):

        p(s | w) = (n(w, s) + a) / (n(w) + a V)

    With "backoff", the default, a window shares its probability with the window that is one symbol
    shorter, the more the more different symbols k(w) followed it, down to the uniform
    distribution (Witten & Bell):

        p(s | w) = (n(w, s) + k(w) p(s | w')) / (n(w) + k(w)),    p(s | w) = p(s | w') if n(w) = 0

    Args:
        sequences: what is counted; each begins afresh.
        symbols: V.
        window: tau >= 0; 0 counts single symbols, 1 is the Markov model.
        smoothing: "backoff", or a number >= 0 added to every count; with 0, what was never seen
            has probability 0 and a window never seen gives the uniform distribution.

    Raises:
        ValueError: nothing to count, a symbol outside 0..V-1, a window that is negative, as long as
            every sequence or longer, or too long for its codes to fit into 63 bits.

    Source: Witten & Bell (1991), method C, as in Chen & Goodman (1999), section 2.
    """

    def __init__(
        self,
        sequences: Sequence[ArrayLike],
        symbols: int,
        window: int = 1,
        smoothing: float | str = "backoff",
    ) -> None:
        """Count."""
        if symbols < 1 or window < 0:
            raise ValueError(f"expected symbols >= 1 and window >= 0, got {symbols} and {window}")
        if (symbols + 1) ** window * symbols >= 2**63:
            raise ValueError(f"window: expected a shorter one for {symbols} symbols, got {window}")
        if isinstance(smoothing, str) and smoothing != "backoff":
            raise ValueError(f"smoothing: expected backoff or a number, got {smoothing!r}")
        if not isinstance(smoothing, str) and not 0 <= smoothing < np.inf:
            raise ValueError(f"smoothing: expected a number of at least 0, got {smoothing}")
        self.symbols, self.window, self.smoothing = symbols, window, smoothing
        checked = [self._checked(sequence) for sequence in sequences]
        longest = max((len(sequence) for sequence in checked), default=0)
        if longest <= window:
            raise ValueError(
                f"window: expected one shorter than the longest sequence ({longest}), got {window}"
            )
        shortest = 0 if smoothing == "backoff" else window
        self.counts = {k: self._count(checked, k) for k in range(shortest, window + 1)}

    def _checked(self, sequence: ArrayLike) -> Symbols:
        array = np.asarray(sequence)
        if array.size == 0:
            return np.zeros(0, dtype=np.int64)
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            raise ValueError(
                f"expected a sequence of integers (T,), got {array.dtype} {array.shape}"
            )
        if array.min() < 0 or array.max() >= self.symbols:
            raise ValueError(
                f"expected symbols in 0..{self.symbols - 1}, got {array.min()}..{array.max()}"
            )
        return array.astype(np.int64)

    def _windows(self, sequence: Symbols, length: int) -> Symbols:
        """(T,) the code of the `length` symbols before each."""
        padded = np.concatenate([np.full(length, self.symbols, dtype=np.int64), sequence])
        codes = np.zeros(len(sequence), dtype=np.int64)
        for k in range(length):
            codes = codes * (self.symbols + 1) + padded[k : k + len(sequence)]
        return codes

    def _count(self, sequences: list[Symbols], length: int) -> _Counts:
        parts = [self._windows(s, length) * self.symbols + s for s in sequences]
        codes, times = np.unique(np.concatenate(parts), return_counts=True)
        windows, begins, kinds = np.unique(
            codes // self.symbols, return_index=True, return_counts=True
        )
        return _Counts(codes, times, windows, np.add.reduceat(times, begins), kinds)

    def _mix(self, length: int, windows: Symbols, codes: Symbols, lower: Any) -> NDArray[Any]:
        """Probabilities by one length of window, given those by the one below."""
        counts = self.counts[length]
        n = _look_up(counts.codes, counts.times, codes)
        total = _look_up(counts.windows, counts.totals, windows)
        if isinstance(self.smoothing, str):
            kinds = _look_up(counts.windows, counts.kinds, windows)
            shared = (n + kinds * lower) / np.maximum(total + kinds, 1)
            mixed: NDArray[Any] = np.where(total > 0, shared, lower)
            return mixed
        mass = total + self.smoothing * self.symbols
        share = (n + self.smoothing) / np.where(mass > 0, mass, 1)
        added: NDArray[Any] = np.where(mass > 0, share, 1 / self.symbols)
        return added

    def probabilities(self, before: ArrayLike = ()) -> NDArray[np.float64]:
        """The distribution of the next symbol.

        Args:
            before: (t,) what the sequence began with, or at least its last tau symbols.

        Returns:
            (V,), with sum 1.
        """
        known, every = self._checked(before), np.arange(self.symbols)
        result = np.full(self.symbols, 1 / self.symbols)
        for length in self.counts:
            begin = np.full(max(length - len(known), 0), self.symbols, dtype=np.int64)
            code = 0
            for symbol in [*begin, *(known[len(known) - length + len(begin) :] if length else ())]:
                code = code * (self.symbols + 1) + int(symbol)
            windows = np.full(self.symbols, code, dtype=np.int64)
            result = self._mix(length, windows, windows * self.symbols + every, result)
        return result

    def log_probabilities(self, sequence: ArrayLike) -> NDArray[np.float64]:
        """(T,) the log-probability of each symbol given those before it, in nats; -inf for 0."""
        known = self._checked(sequence)
        result: NDArray[Any] = np.full(len(known), 1 / self.symbols)
        for length in self.counts:
            windows = self._windows(known, length)
            result = self._mix(length, windows, windows * self.symbols + known, result)
        with np.errstate(divide="ignore"):
            logarithms: NDArray[np.float64] = np.log(result)
        return logarithms

    def log_likelihood(self, sequence: ArrayLike) -> float:
        """The log-probability of the whole sequence, in nats."""
        return float(self.log_probabilities(sequence).sum())

    def sample(
        self, length: int, generator: np.random.Generator, before: ArrayLike = ()
    ) -> Symbols:
        """Draw a sequence.

        Args:
            length: symbols to draw.
            generator: the source of randomness.
            before: (t,) what it continues.

        Returns:
            (length,), without `before`.
        """
        known = self._checked(before)
        drawn = np.concatenate([known, np.zeros(length, dtype=np.int64)])
        for t in range(len(known), len(drawn)):
            probabilities = self.probabilities(drawn[max(t - self.window, 0) : t])
            drawn[t] = generator.choice(self.symbols, p=probabilities)
        return drawn[len(known) :]


def _look_up(keys: Symbols, values: Symbols, wanted: Symbols) -> Symbols:
    """The value at each wanted key; 0 where it is not among the sorted keys."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)
