"""Wrong input to a memory: one line that says what was expected and what came."""

import torch
from torch import Tensor

from .state import State, describe


def shape(tensor: Tensor) -> tuple[int, ...]:
    """The sizes as a plain tuple, for messages."""
    return tuple(tensor.shape)


def autocast_dtype(x: Tensor) -> torch.dtype | None:
    """The dtype that autocast wants on the device of x; None where it is off."""
    if x.is_cpu:  # spares the look-up of the device's name, which a step would feel
        return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
    kind = x.device.type
    if kind != "cuda" and not torch.amp.is_autocast_available(kind):  # the meta device
        return None
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None


def check_input(x: object, axes: str, size: int, like: Tensor) -> None:
    """Refuse an input of the wrong rank, feature size, dtype or device.

    Args:
        x: what came.
        axes: the axes expected, for instance "T, B"; the features follow.
        size: features expected.
        like: a weight of the memory: its dtype (unless autocast is on) and its device are expected.
    """
    rank = axes.count(",") + 2
    if isinstance(x, Tensor) and x.ndim == rank and x.shape[-1] == size:
        if x.dtype == like.dtype and x.device == like.device:
            return  # the rest names what is wrong
    if not isinstance(x, Tensor):
        raise TypeError(f"expected x to be a tensor ({axes}, {size}), got {type(x).__name__}")
    if x.ndim != rank or x.shape[-1] != size:
        raise ValueError(f"expected x of shape ({axes}, {size}), got {shape(x)}")
    if x.device != like.device:
        raise ValueError(f"expected x on {like.device} as the weights, got {x.device}")
    if x.dtype != like.dtype and not (x.is_floating_point() and autocast_dtype(x)):
        raise TypeError(f"expected x of {like.dtype} as the weights, got {x.dtype}")


def check_leaf(leaf: object, name: str, expected: tuple[int, ...], like: Tensor) -> None:
    """Refuse a state's tensor of another layer, batch, dtype or device than x, which is `like`."""
    if not isinstance(leaf, Tensor):
        raise TypeError(
            f"expected the state's {name} to be a tensor {expected}, got {type(leaf).__name__}"
        )
    if leaf.shape == expected and leaf.dtype == like.dtype and leaf.device == like.device:
        return  # the rest names what is wrong
    if leaf.shape != expected:
        raise ValueError(f"expected the state's {name} of shape {expected}, got {shape(leaf)}")
    if leaf.device != like.device:
        raise ValueError(f"expected the state's {name} on {like.device} as x, got {leaf.device}")
    if not (leaf.is_floating_point() and autocast_dtype(like)):
        raise TypeError(f"expected the state's {name} of {like.dtype} as x, got {leaf.dtype}")


def check_parts(state: State, names: tuple[str, ...]) -> tuple[State, ...]:
    """Refuse a state of another structure.

    Args:
        state: a tensor, or a tuple of one tensor per name.
        names: the parts expected; one alone is expected as a bare tensor.

    Returns:
        The parts as a tuple.
    """
    if len(names) == 1 and isinstance(state, Tensor):
        return (state,)
    if len(names) > 1 and isinstance(state, tuple) and len(state) == len(names):
        return state
    expected = "a tensor" if len(names) == 1 else f"a tuple ({', '.join(names)})"
    raise TypeError(f"expected the state to be {expected}, got {describe(state)}")


def check_reset(reset: object, expected: tuple[int, ...], device: torch.device) -> None:
    """Refuse a reset that is not boolean, of another shape, or elsewhere."""
    if not isinstance(reset, Tensor):
        raise TypeError(
            f"expected reset to be a boolean tensor {expected}, got {type(reset).__name__}"
        )
    if reset.dtype != torch.bool:
        raise TypeError(f"expected reset to be boolean, got {reset.dtype}")
    if reset.shape != expected:
        raise ValueError(f"expected reset of shape {expected}, got {shape(reset)}")
    if reset.device != device:
        raise ValueError(f"expected reset on {device} as x, got {reset.device}")


def check_floating(dtype: torch.dtype | None) -> None:
    """Refuse a dtype that parameters cannot have; None is torch's default."""
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(f"expected a floating dtype, got {dtype}")
