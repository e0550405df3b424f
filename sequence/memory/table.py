"""The memories that agents use, by name, a row each; the cells of sequence models are among them.

A row carries all that is asked of a memory: how it is made, what a look into it finds, what its
gates are for, and the layer that sequence models take.
"""

import keyword
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, overload

import torch
from torch import Tensor, nn

from sidestep.sequence.layers import GRU, LSTM, RNN
from sidestep.sequence.layers.recurrent import Recurrent
from sidestep.sequence.state import State, flatten_state

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
    "none": MemoryKind(_none, look_at_nothing),
    "rnn": MemoryKind.of_layer(RNN),
    "lstm": MemoryKind.of_layer(LSTM),
    "gru": MemoryKind.of_layer(GRU),
    "attention": MemoryKind(_attention, look_at_window),
}
"""Every memory; `register_memory` adds to it."""


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


def register_memory(name: str, kind: MemoryKind) -> None:
    """Add a memory; from then on `memory=name` is one like the shipped ones.

    A small one is made and tried: that its state has the batch in dimension 1 and begins at zero,
    that a sequence is what its steps are, and that a reset forgets all that was before.

    Args:
        name: an identifier that is not taken.
        kind: its row.

    Raises:
        TypeError, ValueError: no identifier, a name that is taken by another row, or a memory that
            does not keep to the interface `Memory`; nothing is added. The same row again is no
            error.
    """
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"memory name: expected an identifier such as leaky, got {name!r}")
    given: object = kind
    if not isinstance(given, MemoryKind):
        got = type(given).__name__
        raise TypeError(f"memory {name!r}: expected a row, sidestep.sequence.MemoryKind, got {got}")
    if KINDS.get(name, kind) is not kind:
        raise ValueError(f"memory name: expected one that is free, got {name!r}, which is taken")
    if name not in KINDS:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            try:
                _try(kind)
            except (TypeError, ValueError) as error:
                raise type(error)(f"memory {name!r}: {error}") from None
        KINDS[name] = kind


_INPUT, _HIDDEN, _WINDOW, _TICKS, _ROWS = 3, 4, 5, 7, 2
"""Sizes of the memory that is tried."""


def _try(kind: MemoryKind) -> None:
    """Raise TypeError or ValueError unless a small memory of the kind keeps to `Memory`."""
    for field in ("make", "look"):
        if not callable(getattr(kind, field)):
            raise TypeError(f"expected {field} to be callable, got {getattr(kind, field)!r}")
    generator = torch.Generator().manual_seed(0)
    made: object = kind.make(_INPUT, _HIDDEN, 1, _WINDOW, generator=generator)
    if not isinstance(made, nn.Module):
        raise TypeError(f"expected make to return a torch.nn.Module, got {type(made).__name__}")
    memory: Any = made.eval()
    for field in ("initial_state", "step", "input_size", "output_size"):
        if not hasattr(memory, field):
            raise TypeError(f"expected a memory with {field}, got {type(memory).__name__} without")
    if memory.input_size != _INPUT:
        raise ValueError(f"expected input_size {_INPUT}, as it was asked, got {memory.input_size}")
    x = torch.randn(_TICKS, _ROWS, _INPUT, generator=generator)
    state = first = memory.initial_state(_ROWS)
    _check_leaves(first, first)
    if any(bool(leaf.any()) for leaf in flatten_state(first).values()):
        raise ValueError("expected an initial state of zeros, got others")
    rows = []
    for x_t in x:
        y, state = memory.step(x_t, state)
        if y.shape != (_ROWS, memory.output_size):
            expected = (_ROWS, memory.output_size)
            raise ValueError(f"expected step to return {expected}, got {tuple(y.shape)}")
        _check_leaves(state, first)
        rows.append(y)
    _check_equal("a sequence to give what its steps give", memory(x)[0], torch.stack(rows))
    reset = torch.ones(_ROWS, dtype=torch.bool)
    again, _ = memory.step(x[0], state, reset)
    _check_equal("a reset to forget all that was before", again, rows[0])
    resets = torch.zeros(_TICKS, _ROWS, dtype=torch.bool)
    resets[3, 1] = True
    half = memory(x[3:])[0]
    _check_equal("a reset to begin a row anew", memory(x, None, resets)[0][3:, 1], half[:, 1])
    _check_look(kind, memory, x[0], first)


def _check_leaves(state: State, like: State) -> None:
    """Raise ValueError for a state whose tensors have not the batch in dimension 1, or change."""
    found = [tuple(leaf.shape) for leaf in flatten_state(state).values()]
    known = [tuple(leaf.shape) for leaf in flatten_state(like).values()]
    if found != known:
        raise ValueError(f"expected a state of {known} after every step, got {found}")
    for shape in found if state != () else []:
        if len(shape) < 2 or shape[1] != _ROWS:
            raise ValueError(f"expected the batch, {_ROWS}, in dimension 1 of a state, got {shape}")


def _check_equal(what: str, found: Tensor, known: Tensor) -> None:
    if found.shape != known.shape:
        raise ValueError(f"expected {what}, got {tuple(found.shape)} for {tuple(known.shape)}")
    gap = float((found - known).abs().max())
    if not gap <= 1e-4:
        raise ValueError(f"expected {what}, got a difference of {gap:.2g}")


def _check_look(kind: MemoryKind, memory: Any, x: Tensor, state: State) -> None:
    """Raise TypeError or ValueError where a look is none, or finds gates without words."""
    look = kind.look(memory, x, state, None)
    if not isinstance(look, Look):
        raise TypeError(f"expected look to return a Look, got {type(look).__name__}")
    if set(look.gates) != set(kind.gate_words):
        found, told = sorted(look.gates), sorted(kind.gate_words)
        raise ValueError(f"expected words for the gates {found}, got some for {told}")
