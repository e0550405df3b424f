"""Helpers for the state of any memory: a tensor, or a tuple of states (an empty one is no state).

One rule for all: **the batch is dimension 1 of every leaf**, as it is in every time-major tensor
and in torch.nn's (layers, B, H). A cleared state is all zeros, as is every initial one. Leaves are
plain tensors, so a state can be written to safetensors with `flatten_state`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

State: TypeAlias = Tensor | tuple["State", ...]
"""What a layer remembers: a tensor, or a tuple of states; lanes are axis 1."""

BATCH_DIM = 1
_EMPTY = "empty"


def map_state(function: Callable[..., Tensor], state: State, *others: State) -> State:
    """Apply `function` leaf by leaf to states of one structure.

    Args:
        function: takes one leaf of each state.
        state: gives the structure.
        others: states of the same structure.

    Returns:
        A state of that structure.

    Raises:
        ValueError: the structures differ.
    """
    if isinstance(state, Tensor):
        for other in others:
            if not isinstance(other, Tensor):
                raise ValueError(f"expected a tensor as in the first state, got {describe(other)}")
        return function(state, *others)
    for other in others:
        if isinstance(other, Tensor) or len(other) != len(state):
            raise ValueError(
                f"expected states of one structure, got {describe(state)} and {describe(other)}"
            )
    return tuple(map_state(function, *parts) for parts in zip(state, *others, strict=True))


def describe(state: object) -> str:
    """The structure of a state in words, for messages: shapes inside tuples."""
    if isinstance(state, Tensor):
        return f"tensor{tuple(state.shape)}"
    if isinstance(state, tuple):
        return "(" + ", ".join(describe(part) for part in state) + ")"
    return type(state).__name__


def detach_state(state: State) -> State:
    """The same numbers without their history: gradients stop here.

    Cut a long stream into chunks this way (truncated back-propagation through time).
    """
    return map_state(Tensor.detach, state)


def select_state(state: State, index: Tensor) -> State:
    """Take rows of the batch.

    Args:
        state: leaves (., B, ...).
        index: (N,) integer rows, or (B,) boolean mask.

    Returns:
        Leaves (., N, ...), a copy.
    """
    return map_state(lambda leaf: leaf[:, index], state)


def put_state(state: State, index: Tensor, rows: State) -> State:
    """Replace rows of the batch: the inverse of `select_state`.

    Args:
        state: leaves (., B, ...); left as it is.
        index: (N,) integer rows, or (B,) boolean mask with N rows True.
        rows: leaves (., N, ...).

    Returns:
        Leaves (., B, ...), a copy of `state` with `rows` at `index`.
    """

    def put(leaf: Tensor, new: Tensor) -> Tensor:
        leaf = leaf.clone()
        leaf[:, index] = new
        return leaf

    return map_state(put, state, rows)


def mask_state(state: State, reset: Tensor) -> State:
    """Clear the rows where an episode starts; the others pass unchanged.

    Args:
        state: leaves (., B, ...).
        reset: (B,) boolean, True: clear this row. A NaN in it is cleared too.

    Returns:
        Leaves (., B, ...).
    """

    def mask(leaf: Tensor) -> Tensor:
        return leaf.masked_fill(reset.view(1, -1, *[1] * (leaf.ndim - 2)), 0)

    return map_state(mask, state)


def concatenate_states(states: Sequence[State]) -> State:
    """Join batches of states of one structure, in order: leaves (., B_1 + B_2 + ..., ...).

    Raises:
        ValueError: there is none, or the structures differ.
    """
    if not states:
        raise ValueError("expected at least one state to concatenate, got none")
    return map_state(lambda *leaves: torch.cat(leaves, dim=BATCH_DIM), *states)


def flatten_state(state: State, name: str = "state") -> dict[str, Tensor]:
    """A state as named tensors, for safetensors: `state`, or `state.0`, `state.1`, nested so on.

    An empty tuple is written as a tensor of size 0 named `NAME.empty`.
    """
    if isinstance(state, Tensor):
        return {name: state.contiguous()}
    if not state:
        return {f"{name}.{_EMPTY}": torch.empty(0)}
    flat: dict[str, Tensor] = {}
    for number, part in enumerate(state):
        flat |= flatten_state(part, f"{name}.{number}")
    return flat


def unflatten_state(flat: Mapping[str, Tensor], name: str = "state") -> State:
    """The inverse of `flatten_state`; other names in `flat` are ignored.

    Raises:
        ValueError: `flat` holds nothing of that name.
    """
    if name in flat:
        return flat[name]
    if f"{name}.{_EMPTY}" in flat:
        return ()
    parts: list[State] = []
    while any(key == (at := f"{name}.{len(parts)}") or key.startswith(f"{at}.") for key in flat):
        parts.append(unflatten_state(flat, at))
    if not parts:
        raise ValueError(f"expected tensors named {name!r} or {name}.0, got {sorted(flat)}")
    return tuple(parts)
