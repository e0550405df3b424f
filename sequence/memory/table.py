"""The memories that agents use, by name, a row each; the cells of sequence models are among them.

A row carries all that is asked of a memory: how it is made, what a look into it finds, what its
gates are for, and the layer that sequence models take.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, overload

import torch
from torch import Tensor, nn

from sidestep.sequence.layers import GRU, LSTM, RNN
from sidestep.sequence.layers.recurrent import Recurrent
from sidestep.sequence.state import State

from .attention_window import WindowAttention
from .memory import NoMemory


class Look(NamedTuple):
    """What a memory did in one tick of B rows; None for what it has not."""

    units: Tensor | None = None
    """(B, H) its output."""
    cells: Tensor | None = None
    """(B, H) a state beside the output, such as an LSTM's cell."""
    gates: Mapping[str, Tensor] = MappingProxyType({})
    """(B, H) in [0, 1], by the gate's letter."""
    attention: Tensor | None = None
    """(B, K) weights by lag, the present first."""


def look_at_output(memory: Any, x: Tensor, state: State, reset: Tensor | None) -> Look:
    """What is seen of any memory: its output."""
    return Look(units=memory.step(x, state, reset)[0])


def look_at_layer(memory: Any, x: Tensor, state: State, reset: Tensor | None) -> Look:
    """What is seen of a recurrent layer: states and gates of the last layer, by its trace."""
    resets = None if reset is None else reset.unsqueeze(0)
    record: Any = memory.trace(x.unsqueeze(0), state, resets).cells[-1]
    parts = {name: getattr(record, name)[0] for name in record._fields}
    gates = {letter: parts[letter] for letter in parts if letter in memory.gate_words}
    return Look(parts["h"], parts.get("c"), gates)


def look_at_window(memory: Any, x: Tensor, state: State, reset: Tensor | None) -> Look:
    """What is seen of an attention memory: its output and its weights."""
    output, _ = memory.step(x, state, reset)
    return Look(units=output, attention=memory.look(x, state, reset))


def look_at_nothing(memory: Any, x: Tensor, state: State, reset: Tensor | None) -> Look:
    """What is seen where there is no memory."""
    return Look()


class MemoryKind(NamedTuple):
    """A row: a kind of memory and what is known of it."""

    make: Callable[..., nn.Module]
    """Of (input_size, hidden_size, num_layers, window, *, generator): a module with the interface
    `Memory`; it raises ValueError for sizes that it cannot have."""
    look: Callable[[Any, Tensor, State, Tensor | None], Look] = look_at_output
    """Of the module, x (B, D), the state before, and reset (B,): what it does in that tick."""
    gate_words: Mapping[str, str] = MappingProxyType({})
    """For each gate that a look finds, by its letter, what it does when it is open, in a word."""
    layer: type[Recurrent] | None = None
    """The layer that sequence models take for their `cell`; None: it is none of theirs."""
    remembers: bool = True
    """Whether anything of the past comes out of it; one that does not returns x, and agents act
    without it."""

    @classmethod
    def of_layer(cls, layer: type[Recurrent]) -> "MemoryKind":
        """The row of a recurrent layer, from what its class says."""

        def make(
            input_size: int, hidden_size: int, num_layers: int, window: int, **options: Any
        ) -> nn.Module:
            return layer(input_size, hidden_size, num_layers, **options)

        return cls(make, look_at_layer, layer.gate_words, layer)


def _none(input_size: int, hidden_size: int, num_layers: int, window: int, **_: Any) -> nn.Module:
    return NoMemory(input_size)


def _attention(
    input_size: int, hidden_size: int, num_layers: int, window: int, **options: Any
) -> nn.Module:
    if num_layers != 1:
        raise ValueError(f"expected num_layers=1 for attention, got {num_layers}")
    return WindowAttention(input_size, hidden_size, window, **options)


KINDS: dict[str, MemoryKind] = {
    "none": MemoryKind(_none, look_at_nothing, remembers=False),
    "rnn": MemoryKind.of_layer(RNN),
    "lstm": MemoryKind.of_layer(LSTM),
    "gru": MemoryKind.of_layer(GRU),
    "attention": MemoryKind(_attention, look_at_window),
}
"""Every memory; `register_memory` (registering.py) adds to it."""


class Names(Sequence[str]):
    """The names of rows, as a tuple of them would be, but never out of date.

    Args:
        table: of the rows.
        chosen: of which rows; all if left out.
    """

    def __init__(
        self, table: Mapping[str, Any], chosen: Callable[[Any], bool] = lambda row: True
    ) -> None:
        """Keep the table itself."""
        self._table, self._chosen = table, chosen

    def _now(self) -> tuple[str, ...]:
        return tuple(name for name, row in self._table.items() if self._chosen(row))

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...

    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        """One name, or some."""
        return self._now()[index]

    def __len__(self) -> int:
        """How many there are now."""
        return len(self._now())

    def __iter__(self) -> Iterator[str]:
        """All names that there are now."""
        return iter(self._now())

    def __eq__(self, other: object) -> bool:
        """Whether the same names are in the same order."""
        return isinstance(other, tuple | Names) and self._now() == tuple(other)

    def __hash__(self) -> int:
        """As the table's, which is what the names are of."""
        return id(self._table)

    def __repr__(self) -> str:
        """The names, as a tuple."""
        return repr(self._now())


MEMORIES = Names(KINDS)
"""The names that `make_memory` takes."""
CELLS = Names(KINDS, lambda row: row.layer is not None)
"""Those of recurrent layers, which sequence models take."""


def check_cell(name: str) -> None:
    """Raise ValueError for what is no cell of a sequence model."""
    if name not in CELLS:
        raise ValueError(f"cell: expected one of {', '.join(CELLS)}, got {name!r}")


def layer_of(name: str) -> type[Recurrent]:
    """The layer of a cell by its name.

    Raises:
        ValueError: there is none.
    """
    check_cell(name)
    layer = KINDS[name].layer
    assert layer is not None
    return layer


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
    if name not in KINDS:
        raise ValueError(f"expected memory to be one of {', '.join(MEMORIES)}, got {name!r}")
    return KINDS[name].make(
        input_size, hidden_size, num_layers, window, generator=generator, **options
    )
