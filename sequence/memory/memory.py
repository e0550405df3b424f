"""The memories that agents use, behind one interface."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from sidestep.sequence.arguments import check_input, check_lengths, check_reset
from sidestep.sequence.layers import GRU, LSTM, RNN
from sidestep.sequence.layers.lengths import padding
from sidestep.sequence.state import State, describe

from .attention_window import WindowAttention


class Memory(Protocol):
    """What every memory offers; all are `nn.Module`.

    What a call returns has memory of its own: the output can be changed in place, and neither the
    new state, nor the one before, nor x changes with it.

    Attributes:
        input_size: D, features of x.
        output_size: features of y.
    """

    input_size: int
    output_size: int

    def initial_state(self, batch: int) -> State:
        """The state before anything was seen: all zeros, the batch in dimension 1 of each leaf."""

    def step(self, x: Tensor, state: State, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """One tick.

        Args:
            x: (B, D) input.
            state: from `initial_state` or the last call; left as it is.
            reset: (B,) boolean, True: the row's state is cleared before x is consumed.

        Returns:
            y (B, output_size) and the new state.
        """

    def __call__(
        self,
        x: Tensor,
        state: State | None = None,
        reset: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """A whole sequence; agrees with `step` after `step` to 1e-5.

        Args:
            x: (T, B, D) input.
            state: where it starts; None is `initial_state`.
            reset: (T, B) boolean, True where an episode starts at t: the state is cleared before
                x[t] is consumed.
            lengths: (B,) integers in 0..T; what stands at t >= lengths[b] is padding, its output 0.

        Returns:
            y (T, B, output_size) and the state after each row's last step.
        """


class NoMemory(nn.Module):
    """Passes x through: the memory of an agent that has none. Its state is ()."""

    def __init__(self, input_size: int) -> None:
        """Take the size of x, which is the size of y."""
        super().__init__()
        if input_size < 1:
            raise ValueError(f"expected input_size >= 1, got {input_size}")
        self.input_size = self.output_size = input_size

    def initial_state(self, batch: int) -> State:
        """The empty state."""
        return ()

    def step(
        self, x: Tensor, state: State = (), reset: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return a copy of x; see `Memory.step`."""
        self._check(x, "B", state, reset)
        return x.clone(), ()

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        reset: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Return a copy of x, zero at padding; see `Memory`."""
        self._check(x, "T, B", () if state is None else state, reset)
        if lengths is None:
            return x.clone(), ()
        lengths = check_lengths(lengths, x.shape[0], x.shape[1], x.device)
        return x.masked_fill(padding(lengths, x.shape[0]).unsqueeze(-1), 0), ()

    def _check(self, x: Tensor, axes: str, state: State, reset: Tensor | None) -> None:
        check_input(x, axes, self.input_size, x)
        if isinstance(state, Tensor) or state:
            raise TypeError(f"expected the state to be (), got {describe(state)}")
        if reset is not None:
            check_reset(reset, tuple(x.shape[:-1]), x.device)


def _none(input_size: int, hidden_size: int, num_layers: int, window: int, **_: Any) -> nn.Module:
    return NoMemory(input_size)


def _attention(
    input_size: int, hidden_size: int, num_layers: int, window: int, **options: Any
) -> nn.Module:
    if num_layers != 1:
        raise ValueError(f"expected num_layers=1 for attention, got {num_layers}")
    return WindowAttention(input_size, hidden_size, window, **options)


def _layer(kind: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    def make(
        input_size: int, hidden_size: int, num_layers: int, window: int, **options: Any
    ) -> nn.Module:
        return kind(input_size, hidden_size, num_layers, **options)

    return make


_MAKERS: dict[str, Callable[..., nn.Module]] = {
    "none": _none,
    "rnn": _layer(RNN),
    "lstm": _layer(LSTM),
    "gru": _layer(GRU),
    "attention": _attention,
}

MEMORIES = tuple(_MAKERS)
"""The names that `make_memory` takes."""


def make_memory(
    name: str,
    *,
    input_size: int,
    hidden_size: int = 64,
    num_layers: int = 1,
    window: int = 16,
    generator: torch.Generator | None = None,
    **options: Any,
) -> Any:
    """A memory by name.

    Args:
        name: one of `MEMORIES`.
        input_size: D, features of x.
        hidden_size: H, features of y; "none" has none and returns x.
        num_layers: layers of "rnn", "lstm" and "gru".
        window: K, how many of the last embeddings "attention" sees.
        generator: draws the weights; None takes torch's global one.
        **options: further arguments of `RNN`, `LSTM`, `GRU` or `WindowAttention`.

    Returns:
        An `nn.Module` with the interface `Memory`.

    Raises:
        ValueError: the name is unknown, or a size is out of range.
    """
    if name not in _MAKERS:
        raise ValueError(f"expected memory to be one of {', '.join(MEMORIES)}, got {name!r}")
    return _MAKERS[name](
        input_size, hidden_size, num_layers, window, generator=generator, **options
    )
