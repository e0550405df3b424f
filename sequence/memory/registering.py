"""The way to add a memory from outside: a small one is made and tried before its row is taken."""

import keyword
from typing import Any

import torch
from torch import Tensor, nn

from sidestep.sequence.state import State, flatten_state

from .table import KINDS, Look, MemoryKind


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


def _made(kind: MemoryKind, generator: torch.Generator) -> Any:
    """A small memory of the kind; raise TypeError or ValueError where the row makes none."""
    for field in ("make", "look"):
        if not callable(getattr(kind, field)):
            raise TypeError(f"expected {field} to be callable, got {getattr(kind, field)!r}")
    if not isinstance(kind.remembers, bool):
        raise TypeError(f"expected remembers to be True or False, got {kind.remembers!r}")
    made: object = kind.make(_INPUT, _HIDDEN, 1, _WINDOW, generator=generator)
    if not isinstance(made, nn.Module):
        raise TypeError(f"expected make to return a torch.nn.Module, got {type(made).__name__}")
    memory: Any = made.eval()
    for field in ("initial_state", "step", "input_size", "output_size"):
        if not hasattr(memory, field):
            raise TypeError(f"expected a memory with {field}, got {type(memory).__name__} without")
    if memory.input_size != _INPUT:
        raise ValueError(f"expected input_size {_INPUT}, as it was asked, got {memory.input_size}")
    return memory


def _try(kind: MemoryKind) -> None:
    """Raise TypeError or ValueError unless a small memory of the kind keeps to `Memory`."""
    generator = torch.Generator().manual_seed(0)
    memory = _made(kind, generator)
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
    if not kind.remembers:
        _check_equal("y to be x, as remembers=False says", torch.stack(rows), x)
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
