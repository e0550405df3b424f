"""Seeded evaluation: every lane plays the same number of episodes, so short ones weigh no more."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from .batch import Episodes
from .collector import Collector
from .draws import Draws
from .policy import Policy, undisturbed

ENOUGH = 10
"""Values from which on a bootstrap's interval is wide enough."""


class Interval(NamedTuple):
    """An estimate and its 95 % interval; NaN where none is known."""

    value: float
    low: float
    high: float


class Evaluation(NamedTuple):
    """The episodes of an evaluation, (episodes,) each."""

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    success: NDArray[np.bool_] | None
    """None where the env never told; where it tells successes only, the others are False."""
    collision: NDArray[np.bool_] | None
    """Likewise."""

    def summary(self, optimum: float | None = None) -> dict[str, Any]:
        """Figures for logs and tables: plain numbers and [value, low, high] lists.

        Of a single episode low and high are NaN: nothing is known of how far returns spread.

        Args:
            optimum: the largest mean return that can be had, where it is known; then the summary
                tells the regret, optimum minus mean return.
        """
        mean, iqm = mean_interval(self.returns), iqm_interval(self.returns)
        figures: dict[str, Any] = {
            "episodes": len(self.returns),
            "return_mean": list(mean),
            "return_std": float(self.returns.std()),
            "return_iqm": list(iqm),
            "length_mean": float(self.lengths.mean()),
            "timeouts": float(self.truncated.mean()),
        }
        for name, values in (("success", self.success), ("collision", self.collision)):
            if values is not None:
                figures[name] = list(
                    proportion_interval(int(np.count_nonzero(values)), len(values))
                )
        if optimum is not None:
            figures["optimum"] = optimum
            figures["regret"] = [optimum - mean.value, optimum - mean.high, optimum - mean.low]
        return figures


def evaluate(
    policy: Policy,
    env: VectorEnv[Any, Any, Any],
    episodes: int,
    seed: int,
    greedy: bool = True,
    tells: bool = False,
) -> Evaluation:
    """Play `episodes` episodes, shared out evenly over the lanes of `env`.

    Lane i is reset with seed + i and plays its episodes one after another; where the lanes do not
    divide the episodes, the first lanes play one more.

    Args:
        policy: what plays; its running statistics and its random numbers are not touched.
        env: any vector env; not closed.
        episodes: how many.
        seed: of the env's lanes.
        greedy: without exploration.
        tells: whether the env is known to tell successes; some tell nothing else, and where these
            tell nothing at all, `success` is False everywhere.

    Raises:
        ValueError: fewer than one episode, a negative seed, an episode that does not end (see
            `Collector.check_length`), or NaN among rewards or observations.
    """
    if episodes < 1:
        raise ValueError(f"episodes: expected at least 1, got {episodes}")
    if seed < 0:
        raise ValueError(f"seed: expected at least 0, got {seed}")
    quota = quotas(episodes, env.num_envs)
    return gather(play(policy, env, quota, seed, greedy), tells)


def quotas(episodes: int, lanes: int) -> NDArray[np.int64]:
    """How many of the episodes each lane plays, (lanes,)."""
    return episodes // lanes + (np.arange(lanes) < episodes % lanes)


def play(
    policy: Policy,
    env: VectorEnv[Any, Any, Any],
    quota: NDArray[np.int64],
    seed: int,
    greedy: bool = True,
    first_lane: int = 0,
) -> list[Episodes]:
    """Play so many episodes in each lane, as `evaluate` does.

    Args:
        policy: what plays.
        env: any vector env, whose lanes may be a part of all; not closed.
        quota: (lanes,) of each.
        seed: of all lanes: the env's are seed + first_lane and on.
        greedy: without exploration.
        first_lane: number of the env's first lane.

    Returns:
        The episodes as they ended, with the numbers of their lanes among all.
    """
    kept, quota = [], quota.copy()
    with undisturbed(policy, Draws(seed, first_lane)):
        collector = Collector(env, policy, greedy=greedy)
        collector.begin(seed + first_lane)
        while quota.any():
            collector.tick()
            for ended in collector.drain():
                counted = ended.select(quota[ended.lane] > 0)
                quota[counted.lane] -= 1
                kept.append(counted._replace(lane=counted.lane + first_lane))
            collector.check_length(quota > 0)
    return kept


def gather(parts: list[Episodes], tells: bool = False) -> Evaluation:
    """The evaluation of episodes that were played, in whatever order.

    Args:
        parts: of all lanes.
        tells: as in `evaluate`.
    """
    result = _gather(parts)
    if tells and result.success is None:
        return result._replace(success=np.zeros(len(result.returns), dtype=np.bool_))
    return result


def _gather(parts: list[Episodes]) -> Evaluation:
    """All episodes, lane by lane, each lane's in the order in which it played them."""
    order = np.argsort(np.concatenate([part.lane for part in parts]), kind="stable")
    lane, returns, lengths, truncated, success, collision = zip(*parts, strict=True)
    return Evaluation(
        np.concatenate(returns)[order],
        np.concatenate(lengths)[order],
        np.concatenate(truncated)[order],
        _flags(success, lane, order),
        _flags(collision, lane, order),
    )


def _flags(
    parts: Sequence[NDArray[np.bool_] | None], lanes: Sequence[NDArray[np.int64]], order: Any
) -> NDArray[np.bool_] | None:
    """One column of flags: an env that tells only what is so means False where it tells nothing."""
    if all(part is None for part in parts):
        return None
    told = [
        np.zeros(len(lane), dtype=np.bool_) if part is None else part
        for part, lane in zip(parts, lanes, strict=True)
    ]
    flags: NDArray[np.bool_] = np.concatenate(told)[order]
    return flags


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """The mean and its interval by Student's t; of a single value no interval is known: NaN."""
    mean, half = float(values.mean()), float(half_interval(values))
    return Interval(mean, mean - half, mean + half)


def half_interval(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the 95 % interval of the mean over the first axis, t s / sqrt(n) (Student 1908).

    Args:
        values: (n, ...) independent ones.

    Returns:
        (...), NaN where n is 1.
    """
    count = len(values)
    if count < 2:
        return np.full(values.shape[1:], np.nan)
    error = values.std(0, ddof=1) / math.sqrt(count)
    return np.asarray(student_t(count - 1) * error)


@lru_cache
def student_t(freedom: int) -> float:
    """What Student's t with `freedom` degrees of freedom stays within, 19 times in 20.

    Up to 1,000 degrees the exact probability is inverted by bisection; above, where that takes
    long, four terms of Fisher's series are exact to 1e-13.

    Source: Abramowitz & Stegun (1964), 26.7.3, 26.7.4 and 26.7.5.
    """
    if freedom > 1000:
        z = 1.959963984540054
        terms = (
            z,
            (z**3 + z) / 4,
            (5 * z**5 + 16 * z**3 + 3 * z) / 96,
            (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
            (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
        )
        return math.fsum(term / freedom**power for power, term in enumerate(terms))
    low, high = 1.9, 13.0
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _within(middle, freedom) < 0.95 else (low, middle)
    return middle


def _within(t: float, freedom: int) -> float:
    """The probability that Student's t stays within -t and t."""
    angle = math.atan(t / math.sqrt(freedom))
    squared, odd = math.cos(angle) ** 2, freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0 if freedom == 1 else term
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= squared * (k - 1) / k
        total += term
    inside = math.sin(angle) * total
    return 2 / math.pi * (angle + inside) if odd else inside


def proportion_interval(hits: int, trials: int) -> Interval:
    """A share and its Wilson score interval (Wilson 1927), which holds near 0 and 1 too."""
    z, share = 1.959964, hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    half /= 1 + z * z / trials
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def iqm(values: NDArray[np.float64]) -> float:
    """The interquartile mean: the mean of the middle half (Agarwal et al. 2021)."""
    ordered = np.sort(values, axis=-1)
    cut = ordered.shape[-1] // 4
    return float(ordered[cut : ordered.shape[-1] - cut].mean())


def iqm_interval(values: NDArray[np.float64], resamples: int = 200) -> Interval:
    """The interquartile mean and its interval.

    From ten values on it is a percentile bootstrap (fixed seed, so tables repeat). Of fewer that is
    too narrow (of two it holds the truth half the time): there it is Student's t with the
    winsorised deviation (Tukey & McLaughlin 1963). Of a single value none is known: NaN.
    """
    count, middle = len(values), iqm(values)
    if count >= ENOUGH:
        random = np.random.default_rng(0)
        draws = [iqm(random.choice(values, count)) for _ in range(resamples)]
        low, high = np.percentile(draws, [2.5, 97.5])
        return Interval(middle, float(low), float(high))
    cut = count // 4
    kept = count - 2 * cut
    if kept < 2:
        return Interval(middle, math.nan, math.nan)
    ordered = np.sort(values)
    winsorised = ordered.clip(ordered[cut], ordered[count - cut - 1])
    error = math.sqrt(((winsorised - winsorised.mean()) ** 2).sum() / (kept * (kept - 1)))
    half = student_t(kept - 1) * error
    return Interval(middle, middle - half, middle + half)
