"""Running mean and deviation, for observations and rewards."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class RunningMoments:
    """Mean and variance of everything that was counted, in double precision.

    Args:
        shape: of one value.

    Source: Chan, Golub & LeVeque (1983), eq. 1.5, for batches.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        """Begin with nothing counted."""
        self.count = torch.zeros((), dtype=torch.float64)
        self.mean = torch.zeros(shape, dtype=torch.float64)
        self.square = torch.zeros(shape, dtype=torch.float64)

    def add(self, batch: Tensor) -> None:
        """Count the rows of `batch`, (rows, *shape); there may be none."""
        if len(batch) == 0:
            return
        mean = batch.mean(0, dtype=torch.float64)
        self._take_in(len(batch), mean, ((batch - mean) ** 2).sum(0))

    def merge(self, other: "RunningMoments") -> None:
        """Count everything that `other` has counted."""
        if other.count > 0:
            self._take_in(other.count, other.mean, other.square)

    def _take_in(self, rows: int | Tensor, mean: Tensor, square: Tensor) -> None:
        total = self.count + rows
        delta = mean - self.mean
        self.square = self.square + square
        self.square = self.square + delta**2 * self.count * rows / total
        self.mean = self.mean + delta * rows / total
        self.count = total

    def packed(self) -> Tensor:
        """The sums in one vector of double precision."""
        return torch.cat([self.count.reshape(1), self.mean.flatten(), self.square.flatten()])

    @classmethod
    def unpacked(cls, packed: Tensor, shape: tuple[int, ...]) -> "RunningMoments":
        """The moments of `packed()`, of values of that shape."""
        moments = RunningMoments(shape)
        moments.count, (mean, square) = packed[0], packed[1:].chunk(2)
        moments.mean, moments.square = mean.reshape(shape), square.reshape(shape)
        return moments

    def deviation(self) -> Tensor:
        """The standard deviation (population's), at least 1e-4."""
        return (self.square / self.count.clamp(min=1)).sqrt().clamp(min=1e-4)

    def state_dict(self) -> dict[str, Tensor]:
        """The sums."""
        return {"count": self.count, "mean": self.mean, "square": self.square}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict()`."""
        names = ("count", "mean", "square")
        self.count, self.mean, self.square = (state[name].clone() for name in names)


class PartMoments(RunningMoments):
    """Moments of which several parts count on by themselves, and meet from time to time.

    Args:
        agreed: what all of them know already.
    """

    def __init__(self, agreed: RunningMoments) -> None:
        """Begin with what is known."""
        super().__init__(tuple(agreed.mean.shape))
        self.meet(agreed)

    def meet(self, agreed: RunningMoments) -> None:
        """Go on from what all parts know now."""
        self.load_state_dict(agreed.state_dict())
        self.since = RunningMoments(tuple(agreed.mean.shape))
        """What this part has counted since they met."""

    def add(self, batch: Tensor) -> None:
        """Count the rows of `batch`, (rows, *shape); there may be none."""
        super().add(batch)
        self.since.add(batch)


class RewardScaler:
    """Rewards over the running deviation of the discounted return (Engstrom et al. 2020).

    Only the scale changes, never the sign or zero, so that ends and cuts keep their meaning.

    Args:
        lanes: of the env.
        discount: gamma of the running return.
        moments: taken in here, read by the learner.
    """

    def __init__(self, lanes: int, discount: float, moments: RunningMoments) -> None:
        """Begin with returns of 0."""
        self.discount, self.moments = discount, moments
        self.running = torch.zeros(lanes, dtype=torch.float64)

    def begin(self) -> None:
        """Every lane begins an episode: its return is 0."""
        self.running = torch.zeros_like(self.running)

    def count(self, reward: Tensor, ended: Tensor, valid: Tensor) -> None:
        """Take in a tick, (lanes,) each.

        Args:
            reward: as the env gave it.
            ended: where episodes ended with it.
            valid: False where nobody learns from it: such lanes are left out.
        """
        self.running = torch.where(valid, self.running * self.discount + reward, self.running)
        self.moments.add(self.running[valid])
        self.running = torch.where(ended, 0.0, self.running)


def shown_rewards(reward: NDArray[Any], scale: float, limit: float | None) -> Tensor:
    """Rewards as a learner learns from them and is shown them, float32 of the same shape.

    Args:
        reward: (...) as the env gave them.
        scale: factor on each.
        limit: size to which they are then cut, so that one rare reward cannot outweigh all others
            while the running deviation has not seen it; None: they are not.
    """
    scaled = np.asarray(reward * scale)
    if limit is not None:
        scaled = scaled.clip(-limit, limit)
    return torch.from_numpy(scaled.astype(np.float32))
