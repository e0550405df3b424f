"""Forecasters of real values from their past: persistence, a window (AR), a latent state.

    persistence   x^_t = x_{t-1}
    window        x^_t = a + sum over k of w_k x_{t-k},  k = 1..tau
    latent        x_t ~ Normal(x_{t-1} + m(h_t), s(h_t)),  h_t = g(h_{t-1}, x_{t-1})
                  (h_t never sees x_t)

All work on a scaled series (`Scaling`), fitted on its training part alone. A forecast from an
origin o knows x[0] .. x[o - 1] and foresees x[o], x[o + 1], ... from its own forecasts.

Axis letters: N length of the series, O origins, K steps ahead, B batch, T time.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sidestep.sequence.layers.recurrent import Recurrent
from sidestep.sequence.memory.table import layer_of
from sidestep.sequence.state import State, concatenate_states, map_state

Values = NDArray[np.float64]
NORMAL_90 = 1.6448536269514722
"""Standard deviations around a normal mean that hold 90 %."""
AT_ONCE = 256
"""Origins whose random futures are followed together: bounds the memory of a long series."""


class Scaling(NamedTuple):
    """x -> (x - mean) / deviation, with the statistics of one part of the series."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, training: Values) -> "Scaling":
        """The statistics of the training part; what comes after must not enter.

        Raises:
            ValueError: fewer than two values, one that is not finite, or all the same.
        """
        if len(training) < 2 or not np.isfinite(training).all():
            raise ValueError(f"expected at least 2 finite values to scale by, got {training!r}")
        low, high = float(training.min()), float(training.max())
        if low == high:
            raise ValueError(f"expected a series that changes, got {low:g} throughout")
        unit = 2.0 ** math.frexp(high - low)[1]  # squares stay within floating point, and exact
        deviation = float(((training - low) / unit).std()) * unit
        return cls(low + float(((training - low) / unit).mean()) * unit, deviation)

    def apply(self, values: Values) -> Values:
        """To the scale of the model."""
        return (values - self.mean) / self.deviation

    def undo(self, values: Values) -> Values:
        """Back to the unit of the series."""
        return values * self.deviation + self.mean


class Forecast(NamedTuple):
    """What is foreseen from each origin, (O, K) each."""

    mean: Values
    low: Values
    """5 % of the distribution lies below."""
    high: Values
    """5 % lies above."""


class Forecaster(Protocol):
    """What all three offer."""

    first: int
    """The first origin that can be foreseen from: values of past that it needs."""

    def ahead(self, series: Values, origins: Sequence[int], steps: int) -> Forecast:
        """Forecasts of x[o], .., x[o + steps - 1] for each origin o.

        Args:
            series: (N,) scaled; from origin o on nothing of it is used.
            origins: each in first..N.
            steps: K >= 1.

        Raises:
            ValueError: an origin or a number of steps out of range.
        """
        ...


def check_origins(series: Values, origins: Sequence[int], first: int, steps: int) -> None:
    """Refuse origins that cannot be foreseen from.

    Raises:
        ValueError: an origin or a number of steps out of range.
    """
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    if not len(origins) or min(origins) < first or max(origins) > len(series):
        span = f"{min(origins)}..{max(origins)}" if len(origins) else "none"
        raise ValueError(f"origins: expected some in {first}..{len(series)}, got {span}")


class Persistence:
    """Tomorrow is as today; the interval grows with the root of the distance, as a random walk's.

    Args:
        training: (N,) scaled; its differences give the interval.
    """

    first = 1

    def __init__(self, training: Values) -> None:
        """Measure the differences."""
        self.deviation = float(np.sqrt(np.mean(np.diff(training) ** 2)))

    def ahead(self, series: Values, origins: Sequence[int], steps: int) -> Forecast:
        """See `Forecaster`."""
        check_origins(series, origins, self.first, steps)
        last = series[np.asarray(origins) - 1][:, None]  # (O, 1)
        mean = np.repeat(last, steps, axis=1)
        spread = NORMAL_90 * self.deviation * np.sqrt(np.arange(1, steps + 1))
        return Forecast(mean, mean - spread, mean + spread)


class WindowForecaster:
    """AR(tau): a linear function of the last tau values, by least squares.

    Args:
        training: (N,) scaled.
        window: tau >= 1.

    Raises:
        ValueError: the training part is too short for tau + 1 coefficients.

    Source: Yule (1927), made for the sunspots; Box & Jenkins (1976), section 5.2 (intervals).
    """

    def __init__(self, training: Values, window: int) -> None:
        """Fit."""
        if window < 1 or len(training) < 2 * window + 2:
            raise ValueError(
                f"window: expected at least 1 and at most {max((len(training) - 2) // 2, 0)} for "
                f"{len(training)} values to learn from, got {window}"
            )
        self.window = self.first = window
        past = np.lib.stride_tricks.sliding_window_view(training[:-1], window)  # (N - tau, tau)
        design = np.column_stack([np.ones(len(past)), past])
        target = training[window:]
        solution, *_ = np.linalg.lstsq(design, target, rcond=None)
        self.intercept, self.weights = float(solution[0]), solution[1:]  # oldest value first
        freedom = len(target) - len(solution)
        self.deviation = math.sqrt(float(((target - design @ solution) ** 2).sum()) / freedom)

    def ahead(self, series: Values, origins: Sequence[int], steps: int) -> Forecast:
        """See `Forecaster`; variance K steps ahead is s^2 times the sum of psi_j^2, j < K."""
        check_origins(series, origins, self.first, steps)
        known = np.stack([series[o - self.window : o] for o in origins])  # (O, tau)
        means = []
        for _ in range(steps):
            means.append(self.intercept + known @ self.weights)
            known = np.column_stack([known[:, 1:], means[-1]])
        mean = np.column_stack(means)
        spread = NORMAL_90 * self.deviation * np.sqrt(np.cumsum(self.echo(steps) ** 2))
        return Forecast(mean, mean - spread, mean + spread)

    def echo(self, steps: int) -> Values:
        """psi_0, psi_1, ...: what a shock of 1 leaves after 0, 1, ... steps."""
        newest_first = self.weights[::-1]
        psi = [1.0]
        for _ in range(steps - 1):
            psi.append(float(np.dot(newest_first[: len(psi)], psi[::-1][: self.window])))
        return np.asarray(psi[:steps])


class LatentForecaster(nn.Module):
    """A recurrent state that reads the past: x_t ~ Normal(x_{t-1} + m(h_t), s(h_t)).

    The mean is written as a change of the last value, so that persistence is where it starts.
    Forecasts of several steps follow `paths` random futures; their mean and 5 and 95 % quantiles
    are returned. The random numbers are the same for every origin, so that a forecast does not
    depend on which others are asked for.

    Args:
        cell: rnn, lstm, gru, or one that was registered.
        hidden_size: H.
        paths: random futures a forecast.
        seed: of the futures.
    """

    first = 1

    def __init__(
        self, cell: str = "gru", hidden_size: int = 32, paths: int = 300, seed: int = 0
    ) -> None:
        """Make the layers; weights come from torch's global generator."""
        super().__init__()
        self.recurrent: Recurrent = layer_of(cell)(1, hidden_size)
        self.head = nn.Linear(hidden_size, 2)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.paths, self.seed = paths, seed

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        """Mean and log-deviation (T, B) of the value after each of x (T, B), and the state."""
        y, state = self.recurrent(x.unsqueeze(-1), state)
        return (*self._read(x, y), state)

    def _read(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        change, log_deviation = self.head(y).unbind(-1)
        return x + change, log_deviation.clamp(-7, 4)

    def nats(self, x: Tensor, state: State | None = None) -> Tensor:
        """-log p(x_t | x_{<t}) for t = 1 .. T-1 of x (T, B): (T - 1, B)."""
        mean, log_deviation, _ = self(x[:-1], state)
        error = (x[1:] - mean) * (-log_deviation).exp()
        nats: Tensor = 0.5 * error**2 + log_deviation + 0.5 * math.log(2 * math.pi)
        return nats

    @torch.no_grad()
    def ahead(self, series: Values, origins: Sequence[int], steps: int) -> Forecast:
        """See `Forecaster`; the first step is exact, the others follow random futures."""
        check_origins(series, origins, self.first, steps)
        x = torch.from_numpy(series).to(self.head.weight)  # (N,)
        last = x[torch.tensor(origins, device=x.device) - 1]  # (O,)
        y, state = self._states(x, origins)
        mean, log_deviation = self._read(last, y)
        spread = NORMAL_90 * log_deviation.exp()
        first = torch.stack([mean, mean - spread, mean + spread])[..., None]  # (3, O, 1)
        generator = torch.Generator(x.device).manual_seed(self.seed)
        noise = torch.randn(
            (steps - 1, 2, self.paths), generator=generator, device=x.device, dtype=x.dtype
        )
        parts = []
        for begin in range(0, len(origins), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            cut = map_state(lambda leaf, some=some: leaf[:, some], state)
            parts.append(self._futures(mean[some], log_deviation[some], cut, noise))
        whole = torch.cat([first, torch.cat(parts, dim=1)], dim=2)  # (3, O, K)
        return Forecast(*whole.double().cpu().numpy())

    def _futures(self, mean: Tensor, log_deviation: Tensor, state: State, noise: Tensor) -> Tensor:
        """Mean and quantiles (3, O, K - 1) of what follows one step of mean and deviation (O,).

        `noise` is (K - 1, 2, paths): for the value that is read, and for the one that follows it.
        """
        origins = len(mean)
        columns = [noise.new_empty(3, origins, 0)]
        mean, log_deviation = (part.repeat_interleave(self.paths) for part in (mean, log_deviation))
        state = map_state(lambda leaf: leaf.repeat_interleave(self.paths, dim=1), state)
        limits = noise.new_tensor([0.05, 0.95])
        for here, there in noise:
            value = mean + log_deviation.exp() * here.repeat(origins)  # (O * paths,)
            y, state = self.recurrent.step(value.unsqueeze(-1), state)
            mean, log_deviation = self._read(value, y)
            drawn = mean + log_deviation.exp() * there.repeat(origins)
            low, high = drawn.view(origins, -1).quantile(limits, dim=1)
            columns.append(torch.stack([mean.view(origins, -1).mean(1), low, high])[..., None])
        return torch.cat(columns, dim=2)

    def _states(self, x: Tensor, origins: Sequence[int]) -> tuple[Tensor, State]:
        """Output (O, H) and state after reading x[0] .. x[o - 1], for each origin."""
        state, wanted = self.recurrent.initial_state(1), set(origins)
        found: dict[int, tuple[Tensor, State]] = {}
        for t in range(max(origins)):
            y, state = self.recurrent.step(x[t].view(1, 1), state)
            if t + 1 in wanted:
                found[t + 1] = (y, state)
        outputs = torch.cat([found[o][0] for o in origins])
        return outputs, concatenate_states([found[o][1] for o in origins])


def errors(forecast: Forecast, series: Values, origins: Sequence[int]) -> tuple[Values, Values]:
    """Root mean squared and mean absolute error at each distance, (K,) each.

    Args:
        forecast: (O, K).
        series: (N,) in the forecast's unit.
        origins: (O,), each at most N - K.
    """
    steps = forecast.mean.shape[1]
    truth = np.stack([series[o : o + steps] for o in origins])
    wrong = np.abs(forecast.mean - truth)
    largest = wrong.max(0)  # (K,) taken out, so that squares neither overflow nor vanish
    squares = (wrong / np.where(largest > 0, largest, 1.0)) ** 2
    return np.sqrt(squares.mean(0)) * largest, wrong.mean(0)
