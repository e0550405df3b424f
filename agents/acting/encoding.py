"""From an env's observations to the tensor that a network takes, for every space we learn from."""

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from .batch import NotFinite
from .normalization import RunningMoments

CHANNELS_AXES = ("auto", "first", "last", "bytes")
"""Where the channels of a picture are; auto: where its env says (an attribute `channels_axis` of
the Box), else where its shape says. bytes is what was done before there was a choice: last for
bytes up to 255 with 1, 3 or 4 channels, else first."""
SMALL_MAP = 8
"""Cells on the shorter side up to which a map is small."""


class ObservationEncoder:
    """Turns batches of observations of `space` into float32 tensors (B, *shape).

    Box becomes itself, and bytes up to 255 are divided by 255. Pictures, Boxes of three axes, are
    put channels first; stacks of pictures, of four axes, become one picture with the channels of
    all; bytes up to 255 whose two axes are longer than 8 are a grey picture, of one channel.
    Discrete and MultiDiscrete become one-hot; MultiBinary 0 and 1; Dict and Tuple the concatenation
    of their parts, flattened.

    Args:
        space: the single observation space.
        normalize: keep running mean and deviation, and standardise with them (clipped to 10).
        channels_axis: of a picture: auto, first or last. Where auto leaves it open it is first;
            `check_picture` refuses such a space.

    Raises:
        TypeError: a space that is none of these.
    """

    def __init__(
        self, space: spaces.Space[Any], normalize: bool = False, channels_axis: str = "auto"
    ) -> None:
        """Check the space."""
        self.space, self.channels_axis = space, channels_axis
        self.shape = _shape(space, channels_axis)
        self.normalize, self.frozen = normalize, False
        self.plain = isinstance(space, spaces.Box) and len(space.shape) == 1
        self.moments = RunningMoments(self.shape)

    def __repr__(self) -> str:
        """Name what it makes."""
        return f"ObservationEncoder(shape={self.shape}, normalize={self.normalize})"

    def __call__(
        self,
        obs: Any,
        device: torch.device | str = "cpu",
        count: bool | NDArray[np.bool_] = True,
        used: NDArray[np.bool_] | None = None,
    ) -> Tensor:
        """A batch of observations as (B, *shape) float32 on `device`.

        Args:
            obs: as the vector env gives it.
            device: where to.
            count: take the batch into the running statistics, if there are any; or (B,) which rows.
            used: (B,) rows that somebody looks at; others are 0 where they are not finite. None:
                all.

        Raises:
            NotFinite: NaN or an infinity in a row that is used; nothing was counted.
        """
        if not self.plain or obs.dtype != np.float32:
            obs = _encode(self.space, obs, self.channels_axis)
        encoded = torch.from_numpy(np.array(obs, order="C"))  # the env may reuse its buffer
        if not math.isfinite(float(encoded.sum())):
            encoded = _finite(encoded, used)
        if self.normalize:
            if count is not False and not self.frozen:
                rows = encoded if count is True else encoded[torch.from_numpy(count)]
                self.moments.add(rows)
            scaled = (encoded - self.moments.mean) / self.moments.deviation()
            encoded = scaled.clamp(-10, 10).float()
        return encoded.to(device)


def check_picture(space: spaces.Space[Any], channels_axis: str = "auto") -> None:
    """Refuse a picture that may have its channels first or last, before it is convolved.

    Args:
        space: the single observation space.
        channels_axis: as the encoder is given it.

    Raises:
        TypeError: its shape leaves open which axis the channels are.
    """
    if isinstance(space, spaces.Box) and _axis_of(space, channels_axis) is None:
        raise TypeError(
            "observation space: expected a picture whose channels are plainly its first or its "
            f"last axis, got shape {space.shape} of {space.dtype}; say channels_axis first or "
            "last, or leave channels empty to read every cell without convolutions"
        )


def _axis_of(space: spaces.Box, told: str) -> str | None:
    """Where the channels are, first or last; None where the shape leaves it open.

    The sides of a picture are equal, or at least twice its channels. Bytes of 0 and 1 are planes,
    which stand first, where the shape says nothing else.
    """
    if len(space.shape) not in (3, 4):
        return "first"
    first, middle, last = space.shape[-3:]
    told = getattr(space, "channels_axis", told) if told == "auto" else told
    if told in ("first", "last"):
        return str(told)
    if _is_bytes(space) and last in (1, 3, 4):
        return "last"
    if told == "bytes":
        return "first"
    if (first == middle) != (middle == last):
        return "last" if first == middle else "first"
    if 2 * first <= min(middle, last):
        return "first"
    if 2 * last <= min(first, middle):
        return "last"
    return "first" if space.dtype == np.uint8 and bool((space.high == 1).all()) else None


def _is_bytes(space: spaces.Box) -> bool:
    """Whether its values are bytes up to 255, as pictures have them."""
    return space.dtype == np.uint8 and bool((space.high == 255).all())


def _box_shape(space: spaces.Box, channels_axis: str) -> tuple[int, ...]:
    """The shape of one encoded Box: of pictures (channels, height, width)."""
    shape = space.shape
    if len(shape) == 2 and min(shape) > SMALL_MAP and _is_bytes(space):
        return (1, *shape)
    if len(shape) in (3, 4) and _axis_of(space, channels_axis) == "last":
        shape = (*shape[:-3], shape[-1], *shape[-3:-1])
    return (shape[0] * shape[1], *shape[2:]) if len(shape) == 4 else shape or (1,)


def _finite(encoded: Tensor, used: NDArray[np.bool_] | None) -> Tensor:
    """`encoded` (B, *shape) with 0 in rows that are not finite, which must not be `used`."""
    wrong = ~encoded.isfinite()
    found = torch.nonzero(wrong).tolist()
    found = [place for place in found if used is None or used[place[0]]]
    if found:
        lane, *entry = found[0]
        raise NotFinite(
            f"observation of lane {lane}: expected finite numbers, got "
            f"{float(encoded[lane, *entry])} in entry {', '.join(map(str, entry))}"
        )
    return encoded.masked_fill(wrong, 0.0)


def _shape(space: spaces.Space[Any], channels_axis: str = "auto") -> tuple[int, ...]:
    """The shape of one encoded observation."""
    match space:
        case spaces.Box():
            return _box_shape(space, channels_axis)
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


def _parts(space: "spaces.Dict | spaces.Tuple[Any]") -> list[spaces.Space[Any]]:
    return list(space.values() if isinstance(space, spaces.Dict) else space.spaces)


def _encode(space: spaces.Space[Any], obs: Any, channels_axis: str = "auto") -> NDArray[np.float32]:
    """A batch of observations as float32 (B, *shape)."""
    match space:
        case spaces.Box():
            batch = np.asarray(obs)
            if batch.ndim > 3 and _axis_of(space, channels_axis) == "last":
                batch = np.moveaxis(batch, -1, -3)
            if _is_bytes(space):
                batch = batch.astype(np.float32) / np.float32(255)
            shape = _box_shape(space, channels_axis)
            return batch.astype(np.float32, copy=False).reshape(len(batch), *shape)
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
