"""Seeded evaluation: every lane plays the same number of episodes, so short ones weigh no more."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from .agent import Policy, borrowed
from .environments import EnvConfig, is_native
from .rollout import Collector
from .types import Episodes

MOST_LANES, FEW_LANES = 512, 16


class Interval(NamedTuple):
    """An estimate and its 95 % interval."""

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
                figures[name] = list(proportion_interval(np.count_nonzero(values), len(values)))
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
) -> Evaluation:
    """Play `episodes` episodes, shared out evenly over the lanes of `env`.

    Lane i is reset with seed + i and plays its episodes one after another; where the lanes do not
    divide the episodes, the first lanes play one more.

    Args:
        policy: what plays; its running statistics and its random stream are not touched.
        env: any vector env; not closed.
        episodes: how many.
        seed: of the env's lanes.
        greedy: without exploration.

    Raises:
        ValueError: fewer than one episode, a negative seed, an episode that does not end (see
            `Collector.check_length`), or NaN among rewards or observations.
    """
    if episodes < 1:
        raise ValueError(f"episodes: expected at least 1, got {episodes}")
    if seed < 0:
        raise ValueError(f"seed: expected at least 0, got {seed}")
    lanes = np.arange(env.num_envs)
    quota = episodes // env.num_envs + (lanes < episodes % env.num_envs)
    kept, missing = [], episodes
    with borrowed(policy, np.random.default_rng(seed)):
        collector = Collector(env, policy, greedy=greedy)
        collector.begin(seed)
        while missing:
            collector.tick()
            for ended in collector.drain():
                counted = ended.select(quota[ended.lane] > 0)
                quota[counted.lane] -= 1
                missing -= len(counted.lane)
                kept.append(counted)
            collector.check_length(quota > 0)
    return _gather(kept)


def lanes_for(episodes: int, config: EnvConfig) -> int:
    """A good number of lanes for so many episodes: more where a lane costs nothing."""
    return max(1, min(episodes, MOST_LANES if is_native(config) else FEW_LANES))


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
    return np.concatenate(told)[order]


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """The mean and mean +- 1.96 standard errors."""
    mean = float(values.mean())
    error = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Interval(mean, mean - error, mean + error)


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
    """The interquartile mean with a percentile bootstrap (fixed seed, so tables repeat)."""
    random = np.random.default_rng(0)
    draws = [iqm(random.choice(values, len(values))) for _ in range(resamples)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(iqm(values), float(low), float(high))
