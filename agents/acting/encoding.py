"""From an env's observations to the tensor that a network takes, for every space we learn from."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from sidestep.agents.environments import is_text

from .batch import NotFinite
from .normalization import RunningMoments

CHANNELS_AXES = ("auto", "first", "last", "bytes")
"""Where the channels of a picture are; auto: where its env says (an attribute `channels_axis` of
the Box), else where its shape says. bytes is what was done before there was a choice: last for
bytes up to 255 with 1, 3 or 4 channels, else first."""
SMALL_MAP = 8
"""Cells on the shorter side up to which a map is small."""


FEW_CODES, MOST_ENTRIES = 16, 2**14
"""An integer Box whose bounds allow 3 to so many values holds codes, if one-hot it has at most so
many entries."""
FULL_SCALES = torch.tensor([1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 127.0, 255.0])
"""What bytes are divided by: the first that no value exceeded so far."""


class Reading(NamedTuple):
    """How the entries of Boxes are read; see `ObservationEncoder`."""

    channels_axis: str = "auto"
    codes: int | None = 0


class ObservationEncoder:
    """Turns batches of observations of `space` into float32 tensors (B, *shape).

    Box becomes itself, and bytes up to 255 are divided by 255. Pictures, Boxes of three axes, are
    put channels first; stacks of pictures, of four axes, become one picture with the channels of
    all; bytes up to 255 whose two axes are longer than 8 are a grey picture, of one channel.
    Discrete and MultiDiscrete become one-hot; MultiBinary 0 and 1; Dict and Tuple the concatenation
    of their parts, flattened, without those that are text.

    Boxes of integers may hold codes, of which 2 is no more than 1. They become one-hot: each
    channel of a picture as many channels as there are codes, a table of two axes a picture, a
    vector the vectors of its entries behind each other.

    Args:
        space: the single observation space.
        normalize: keep running mean and deviation, and standardise with them (clipped to 10).
        channels_axis: of a picture: auto, first or last. Where auto leaves it open it is first;
            `check_picture` refuses such a space.
        codes: how many codes, from 0 (from the lowest bound where the bounds allow no more), each
            integer Box holds that allows three values at least; 0: none, all are numbers; None:
            those whose bounds allow 3 to 16 values hold codes (if that makes 16,384 entries at
            most), and bytes up to 255 are divided not by 255 but by the first of 1, 3, 7, 15 and so
            on to 255 that no value exceeded so far, in each channel of a picture by its own.

    Attributes:
        largest: (groups,) the largest byte so far in each channel or Box, where `codes` is None and
            nothing is normalised; it belongs into a checkpoint.
        left_out: the parts that are text, in words.

    Raises:
        TypeError: a space that is none of these, or nothing but text.
    """

    def __init__(
        self,
        space: spaces.Space[Any],
        normalize: bool = False,
        channels_axis: str = "auto",
        codes: int | None = 0,
    ) -> None:
        """Check the space."""
        self.space, self.reading = space, Reading(channels_axis, codes)
        self.shape = _shape(space, self.reading)
        self.left_out = tuple(_texts(space))
        self.normalize, self.frozen = normalize, False
        vector = isinstance(space, spaces.Box) and len(space.shape) == 1
        self.plain = vector and not any(_codes_of(space, codes))
        self.moments = RunningMoments(self.shape)
        groups = _byte_groups(space, self.reading) if codes is None and not normalize else []
        self.groups = torch.tensor(groups, dtype=torch.int64)
        self.largest = torch.zeros(max(groups, default=-1) + 1)

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
            ValueError: a code in a row that is used beyond those there are.
        """
        if not self.plain or obs.dtype != np.float32:
            obs = _encode(self.space, obs, self.reading, used)
        encoded = torch.from_numpy(np.array(obs, order="C"))  # the env may reuse its buffer
        if not math.isfinite(float(encoded.sum())):
            encoded = _finite(encoded, used)
        rescales = len(self.largest) > 0 and bool((self.largest <= FULL_SCALES[-2]).any())
        if count is not False and not self.frozen and (rescales or self.normalize):
            rows = encoded if count is True else encoded[torch.from_numpy(count)]
            self._see(rows) if rescales else self.moments.add(rows)
        if rescales:
            encoded = self._rescaled(encoded)
        if self.normalize:
            scaled = (encoded - self.moments.mean) / self.moments.deviation()
            encoded = scaled.clamp(-10, 10).float()
        return encoded.to(device)

    def _see(self, rows: Tensor) -> None:
        """Take the largest bytes of `rows` (rows, *shape), which are divided by 255, into account.

        There may be no rows.
        """
        if len(rows):
            bytes_ = self.groups >= 0
            peaks = (rows.flatten(1).amax(0)[bytes_] * 255).round()
            self.largest = self.largest.scatter_reduce(0, self.groups[bytes_], peaks, "amax")

    def _rescaled(self, encoded: Tensor) -> Tensor:
        """Bytes divided by 255 as divided by the scale of their group; nothing exceeds 1."""
        scales = FULL_SCALES[torch.searchsorted(FULL_SCALES, self.largest)]
        factors = torch.cat((255 / scales, torch.ones(1)))[self.groups].view(self.shape)
        is_byte = (self.groups >= 0).view(self.shape)
        return torch.where(is_byte, (encoded * factors).clamp(max=1.0), encoded)


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


def _codes_of(space: spaces.Space[Any], told: int | None) -> tuple[int, int]:
    """How many codes the entries of a Box hold, and the first; 0 where they are numbers."""
    if not isinstance(space, spaces.Box) or told == 0 or space.low.size == 0:
        return 0, 0
    if space.dtype is None or space.dtype.kind not in "iu":
        return 0, 0
    lowest = int(space.low.min())
    allowed = int(space.high.max()) - lowest + 1
    if allowed < 3:
        return 0, 0
    if told is None:
        few = allowed <= FEW_CODES and allowed * space.low.size <= MOST_ENTRIES
        return (allowed, lowest) if few else (0, 0)
    return (allowed, lowest) if allowed <= told else (told, 0)


def _box_shape(space: spaces.Box, reading: Reading) -> tuple[int, ...]:
    """The shape of one encoded Box: of pictures (channels, height, width)."""
    shape, codes = space.shape, _codes_of(space, reading.codes)[0]
    if len(shape) == 2 and (codes or (min(shape) > SMALL_MAP and _is_bytes(space))):
        return (codes or 1, *shape)
    if len(shape) in (3, 4) and _axis_of(space, reading.channels_axis) == "last":
        shape = (*shape[:-3], shape[-1], *shape[-3:-1])
    shape = (shape[0] * shape[1], *shape[2:]) if len(shape) == 4 else shape or (1,)
    return (shape[0] * codes, *shape[1:]) if codes else shape


def _byte_groups(space: spaces.Space[Any], reading: Reading) -> list[int]:
    """For each encoded entry the number of the bytes that have one scale; -1 where it is no byte.

    They are those of a Box, or of a channel of it where it is a picture.
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        groups: list[int] = []
        for _, part in _parts(space):
            first = max(groups, default=-1) + 1
            groups += [g if g < 0 else first + g for g in _byte_groups(part, reading)]
        return groups
    shape = _shape(space, reading)
    if not (isinstance(space, spaces.Box) and _is_bytes(space)):
        return [-1] * math.prod(shape)
    if len(shape) < 3:
        return [0] * math.prod(shape)
    channels = shape[0] // (space.shape[0] if len(space.shape) == 4 else 1)  # of one of a stack
    return [c % channels for c in range(shape[0]) for _ in range(math.prod(shape[1:]))]


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


def _shape(space: spaces.Space[Any], reading: Reading) -> tuple[int, ...]:
    """The shape of one encoded observation."""
    match space:
        case spaces.Box():
            return _box_shape(space, reading)
        case spaces.Discrete():
            return (int(space.n),)
        case spaces.MultiDiscrete():
            return (int(space.nvec.sum()),)
        case spaces.MultiBinary():
            return (math.prod(space.shape),)
        case spaces.Dict() | spaces.Tuple() if any(_parts(space)):
            return (sum(math.prod(_shape(part, reading)) for _, part in _parts(space)),)
    raise TypeError(
        "observation space: expected Box, Discrete, MultiBinary, MultiDiscrete, or Dict or Tuple "
        f"of such, got {space}"
    )


def _named_parts(space: spaces.Space[Any]) -> list[tuple[Any, spaces.Space[Any]]]:
    """The parts of a Dict or Tuple with their keys; none of other spaces."""
    if isinstance(space, spaces.Dict):
        return list(space.items())
    return list(enumerate(space.spaces)) if isinstance(space, spaces.Tuple) else []


def _parts(space: spaces.Space[Any]) -> list[tuple[Any, spaces.Space[Any]]]:
    """The parts of a Dict or Tuple that can be learned from, with their keys."""
    return [(name, part) for name, part in _named_parts(space) if not is_text(part)]


def _texts(space: spaces.Space[Any], prefix: str = "") -> Iterator[str]:
    """In words the parts that are text, those of parts included."""
    for name, part in _named_parts(space):
        if is_text(part):
            yield f"{prefix}{name} ({type(part).__name__})"
        else:
            yield from _texts(part, f"{prefix}{name}.")


def _encode(
    space: spaces.Space[Any], obs: Any, reading: Reading, used: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """A batch of observations as float32 (B, *shape)."""
    match space:
        case spaces.Box():
            return _encode_box(space, np.asarray(obs), reading, used)
        case spaces.Discrete():
            return _one_hot(np.asarray(obs), int(space.n), used, int(space.start))
        case spaces.MultiDiscrete():
            values = np.asarray(obs).reshape(len(obs), -1)
            sizes = zip(values.T, space.nvec.flat, space.start.flat, strict=True)
            columns = [_one_hot(column, int(n), used, int(start)) for column, n, start in sizes]
        case spaces.MultiBinary():
            return np.asarray(obs, dtype=np.float32).reshape(len(obs), -1)
        case spaces.Dict() | spaces.Tuple():
            columns = [_encode(part, obs[name], reading, used) for name, part in _parts(space)]
        case _:
            raise TypeError(f"observation space: got {space}")
    return np.concatenate([c.reshape(len(c), -1) for c in columns], axis=1)


def _encode_box(
    space: spaces.Box, batch: NDArray[Any], reading: Reading, used: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """A batch of a Box's observations as float32 (B, *shape)."""
    if batch.ndim > 3 and _axis_of(space, reading.channels_axis) == "last":
        batch = np.moveaxis(batch, -1, -3)
    codes, first = _codes_of(space, reading.codes)
    if codes:
        batch = _one_hot(batch, codes, used, first)
        if batch.ndim > 3:  # (B, ..., H, W, codes): codes are channels
            batch = np.moveaxis(batch, -1, -3)
    elif _is_bytes(space):
        batch = batch.astype(np.float32) / np.float32(255)
    return batch.astype(np.float32, copy=False).reshape(len(batch), *_box_shape(space, reading))


def _one_hot(
    values: NDArray[Any], size: int, used: NDArray[np.bool_] | None, first: int
) -> NDArray[np.float32]:
    """(B, ...) whole numbers from `first` on as (B, ..., size).

    Raises:
        ValueError: others in a row that is used; rows that nobody looks at may hold them.
    """
    values = values.astype(np.int64) - first
    outside = (values < 0) | (values >= size)
    if outside.any():
        rows = outside.reshape(len(values), -1).any(axis=1) & (True if used is None else used)
        if rows.any():
            lane = int(rows.argmax())
            got = int(values[lane][outside[lane]].flat[0]) + first
            raise ValueError(
                f"observation of lane {lane}: expected whole numbers from {first} to "
                f"{first + size - 1}, got {got}"
            )
        values = np.where(outside, 0, values)
    encoded = np.zeros((values.size, size), dtype=np.float32)
    encoded[np.arange(values.size), values.ravel()] = 1.0
    return encoded.reshape(*values.shape, size)
