"""What a checkpoint may hold: names, types, shapes and ranges, checked before anything changes."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .records import check_entry, entries, shown


class Spec(NamedTuple):
    """What a stored tensor must be."""

    dtype: torch.dtype
    shape: tuple[int | None, ...]
    """None: any size."""

    def __str__(self) -> str:
        """As errors say it."""
        return f"{_name(self.dtype)} of shape {_sizes(self.shape)}"

    def fits(self, tensor: Tensor) -> bool:
        """Whether `tensor` is such a one."""
        if tensor.dtype != self.dtype or tensor.dim() != len(self.shape):
            return False
        pairs = zip(tensor.shape, self.shape, strict=True)
        return all(expected in (None, size) for size, expected in pairs)

    @classmethod
    def of(cls, tensor: Tensor) -> "Spec":
        """That of `tensor`."""
        return cls(tensor.dtype, tuple(tensor.shape))


def check_tensors(
    own: Mapping[str, Tensor | Spec], loaded: Mapping[str, Tensor], prefix: str = ""
) -> None:
    """Refuse tensors of another architecture.

    Args:
        own: what is expected, by name.
        loaded: what came.
        prefix: of the names, for the error.

    Raises:
        ValueError: a name, a shape or a type differs; the first one is told.
    """
    for key in sorted(own.keys() | loaded.keys()):
        mine, theirs = own.get(key), loaded.get(key)
        spec = Spec.of(mine) if isinstance(mine, Tensor) else mine
        if spec is not None and theirs is not None and spec.fits(theirs):
            continue
        expected, got = _told(spec, theirs)
        raise ValueError(f"checkpoint tensor {prefix + key!r}: expected {expected}, got {got}")


def _told(spec: Spec | None, tensor: Tensor | None) -> tuple[str, str]:
    """What was expected and what came: shapes, or types where these alone differ."""
    if spec is None or tensor is None:
        return str(spec or "no such tensor"), str(Spec.of(tensor)) if tensor is not None else "none"
    if spec._replace(dtype=tensor.dtype).fits(tensor):
        return _name(spec.dtype), _name(tensor.dtype)
    return f"shape {_sizes(spec.shape)}", f"shape {_sizes(tuple(tensor.shape))}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _sizes(shape: tuple[int | None, ...]) -> str:
    return str(tuple("any" if size is None else size for size in shape)).replace("'", "")


def check_module(make: Callable[[], nn.Module], weights: Mapping[str, Tensor], prefix: str) -> None:
    """Refuse the weights of another architecture before memory is taken for a module.

    Args:
        make: the module.
        weights: what came.
        prefix: of the names, for the error.

    Raises:
        ValueError: a name, a shape or a type differs; the first one is told.
    """
    try:
        with torch.device("meta"):
            own = make().state_dict()
    except (RuntimeError, TypeError, OverflowError) as error:  # their product is no size any more
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"checkpoint: expected sizes that a module can have, got {reason}"
        ) from None
    check_tensors(own, weights, prefix)


def check_course(facts: Mapping[str, Any], clock: str) -> None:
    """Refuse a checkpoint's facts on how far training was.

    Args:
        facts: of the checkpoint.
        clock: the name of what it is counted in.

    Raises:
        ValueError: one is missing, of another type, or cannot be.
    """
    kinds = {clock: int, "seconds": float, "best": float | None, "log_position": int}
    entries(facts, "checkpoint", **kinds, next=list[int])
    for name in (clock, "seconds", "log_position"):
        if not 0 <= facts[name] < 2**63:
            raise ValueError(f"checkpoint: expected {name} from 0 on, got {shown(facts[name])}")
    total = facts.get("total_steps")
    if total is not None:
        check_entry(total, int, "checkpoint: total_steps")
        if not 0 < total < 2**63:
            raise ValueError(f"checkpoint: expected total_steps from 1 on, got {shown(total)}")
    if len(facts["next"]) != 3 or min(facts["next"]) < 0:
        raise ValueError(f"checkpoint: expected three due times, got {shown(facts['next'])}")


def within(
    tensor: Tensor, name: str, least: float | None = None, most: float | None = None
) -> None:
    """Refuse stored numbers that are not finite or out of bounds.

    Raises:
        ValueError: one is not from `least` to `most`, as far as these are given.
    """
    low = bool((tensor < least).any()) if least is not None else False
    high = bool((tensor > most).any()) if most is not None else False
    if low or high or not bool(tensor.isfinite().all()):
        words = "" if least is None else f" from {least:g} on"
        words = words if most is None else f" up to {most:g}"
        words = words if None in (least, most) else f" from {least:g} to {most:g}"
        raise ValueError(f"checkpoint tensor {name!r}: expected finite numbers{words}, got others")


def under(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
