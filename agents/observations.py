"""From an env's observations to the tensor that a network takes, for every space we learn from."""

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from .normalization import RunningMoments


class ObservationEncoder:
    """Turns batches of observations of `space` into float32 tensors (B, *shape).

    Box becomes itself, images (three dimensions) channels first and bytes divided by 255;
    Discrete and MultiDiscrete one-hot; MultiBinary 0 and 1; Dict and Tuple the concatenation of
    their parts, flattened.

    Args:
        space: the single observation space.
        normalize: keep running mean and deviation, and standardise with them (clipped to 10).

    Raises:
        TypeError: a space that is none of these.
    """

    def __init__(self, space: spaces.Space[Any], normalize: bool = False) -> None:
        """Check the space."""
        self.space, self.shape = space, _shape(space)
        self.normalize, self.frozen = normalize, False
        self.plain = isinstance(space, spaces.Box) and len(space.shape) == 1
        self.moments = RunningMoments(self.shape)

    def __call__(self, obs: Any, device: torch.device | str = "cpu", count: bool = True) -> Tensor:
        """A batch of observations as (B, *shape) float32 on `device`.

        Args:
            obs: as the vector env gives it.
            device: where to.
            count: take the batch into the running statistics, if there are any.
        """
        if not self.plain or obs.dtype != np.float32:
            obs = _encode(self.space, obs)
        encoded = torch.from_numpy(np.array(obs, order="C"))  # the env may reuse its buffer
        if self.normalize:
            if count and not self.frozen:
                self.moments.add(encoded)
            scaled = (encoded - self.moments.mean) / self.moments.deviation()
            encoded = scaled.clamp(-10, 10).float()
        return encoded.to(device)


def _shape(space: spaces.Space[Any]) -> tuple[int, ...]:
    """The shape of one encoded observation."""
    match space:
        case spaces.Box() if _is_channels_last(space):
            return (space.shape[2], *space.shape[:2])
        case spaces.Box():
            return space.shape or (1,)
        case spaces.Discrete():
            return (int(space.n),)
        case spaces.MultiDiscrete():
            return (int(space.nvec.sum()),)
        case spaces.MultiBinary():
            return (math.prod(space.shape),)
        case spaces.Dict() | spaces.Tuple():
            return (sum(math.prod(_shape(part)) for part in _parts(space)),)
    raise TypeError(
        "observation space: expected Box, Discrete, MultiBinary, MultiDiscrete, Dict or Tuple, "
        f"got {space}"
    )


def _parts(space: spaces.Dict | spaces.Tuple[Any]) -> list[spaces.Space[Any]]:
    return list(space.values() if isinstance(space, spaces.Dict) else space.spaces)


def _is_channels_last(space: spaces.Box) -> bool:
    """Pictures as Gymnasium makes them: bytes up to 255, (height, width, 1, 3 or 4 channels)."""
    is_picture = space.dtype == np.uint8 and bool((space.high == 255).all())
    return is_picture and len(space.shape) == 3 and space.shape[2] in (1, 3, 4)


def _encode(space: spaces.Space[Any], obs: Any) -> NDArray[np.float32]:
    """A batch of observations as float32 (B, *shape)."""
    match space:
        case spaces.Box():
            batch = np.asarray(obs)
            if _is_channels_last(space):
                batch = np.moveaxis(batch, -1, 1)
            if space.dtype == np.uint8 and (space.high == 255).all():
                batch = batch.astype(np.float32) / np.float32(255)
            return batch.astype(np.float32, copy=False).reshape(len(batch), *_shape(space))
        case spaces.Discrete():
            return _one_hot(np.asarray(obs) - space.start, int(space.n))
        case spaces.MultiDiscrete():
            values = (np.asarray(obs) - space.start).reshape(len(obs), -1)
            sizes = space.nvec.reshape(-1)
            parts = [_one_hot(values[:, j], int(n)) for j, n in enumerate(sizes)]
            return np.concatenate(parts, axis=1)
        case spaces.MultiBinary():
            return np.asarray(obs, dtype=np.float32).reshape(len(obs), -1)
        case spaces.Dict():
            columns = [_encode(part, obs[name]) for name, part in space.items()]
        case spaces.Tuple():
            columns = [_encode(part, obs[j]) for j, part in enumerate(space.spaces)]
        case _:
            raise TypeError(f"observation space: got {space}")
    return np.concatenate([c.reshape(len(c), -1) for c in columns], axis=1)


def _one_hot(values: NDArray[Any], size: int) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = np.eye(size, dtype=np.float32)[values]
    return rows
