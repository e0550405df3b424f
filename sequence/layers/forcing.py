"""Gates held at a value: what a recurrent layer computes with a gate shut, open, or in between.

A gate is sigmoid(W x + U h + b), so one whose rows of W and U are 0 has the value sigmoid(b) for
every input and state. Forcing makes a copy with such rows: every way through the layer (`forward`,
`step`, `trace`, all kernels, gradients) computes with it, and 0 and 1 are met exactly, as the
sigmoid of so large a number is. A candidate is a tanh and is held likewise.

Axis letters: T time, B batch, D input features, H hidden units.
"""

import copy
import math
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from sidestep.sequence.chunks import gather
from sidestep.sequence.state import State

from .recurrent import Recurrent, Trace
from .steps import ZWeighs

Layer = TypeVar("Layer", bound=Recurrent)

FAR = 1e4
"""A sum whose sigmoid is 1 and whose negative's is 0, in every dtype; so is its tanh 1."""


def check_gates(layer: type[Recurrent] | Recurrent, values: Mapping[str, float]) -> None:
    """Refuse gates that a layer, or kind of layer, lacks, and values that they cannot have.

    Raises:
        ValueError: such a gate; a gate beyond 0 to 1, or a candidate (g, n) beyond -1 to 1.
    """
    kind = layer if isinstance(layer, type) else type(layer)
    known, words = ", ".join(kind.gate_rows), kind.__name__
    if not kind.gate_rows:
        raise ValueError(f"expected a layer with gates, such as LSTM or GRU, got {words}")
    for name, value in values.items():
        if name not in kind.gate_rows:
            raise ValueError(f"expected some of {known} of the {words}, got {name!r}")
        lowest = 0 if name in kind.gate_words else -1
        if not lowest <= value <= 1:  # NaN neither
            raise ValueError(f"{name}: expected a value from {lowest} to 1, got {value:g}")


@torch.no_grad()
def force_gates(
    layer: Layer,
    values: Mapping[str, float],
    *,
    level: int | None = None,
    z_weighs: ZWeighs = "past",
) -> Layer:
    """Copy a layer whose gates hold fixed values, whatever it reads.

    An LSTM with f = 0 forgets its cell at every step, with f = 1 and i = 0 it keeps it for ever; a
    GRU with z = 1 keeps h. Nothing else changes: with no values the copy computes what the layer
    does, bit for bit.

    Args:
        layer: an `LSTM` or `GRU` of any number of layers and directions; left as it is.
        values: by the names of `layer.gate_rows`: i, f, g, o of an LSTM, r, z, n of a GRU. Gates
            take 0 to 1, the candidates g and n -1 to 1. 0 and 1 are exact, others are as near as
            the dtype allows.
        level: of the stacked layers, from 0, the only one that is forced; None: all.
        z_weighs: what the value given for z is the share of: "past", as in this package and torch,
            or "candidate", as in Chung et al. (2014): z = 0.2 there is z = 0.8 here.

    Returns:
        A layer of the same kind with parameters of its own.

    Raises:
        ValueError: a gate that the layer lacks, a value out of range, no such level, or a weight
            that is no plain parameter.

    Source: the equations of `steps`, with W = U = 0 in the rows of the gate.
    """
    check_gates(layer, values)
    if level is not None and not 0 <= level < layer.num_layers:
        raise ValueError(f"level: expected 0 to {layer.num_layers - 1}, got {level}")
    forced = copy.deepcopy(layer)
    levels = range(layer.num_layers) if level is None else [level]
    if values and not forced.bias:
        _add_biases(forced)
    for suffix in (suffix for k in levels for suffix in forced.suffixes(k)):
        for gate, value in values.items():
            block = layer.gate_rows[gate]
            rows = slice(block * layer.hidden_size, (block + 1) * layer.hidden_size)
            if gate == "z" and z_weighs == "candidate":
                value = 1 - value
            for name in ("weight_ih", "weight_hh", "bias_hh"):
                _parameter(forced, f"{name}_{suffix}")[rows] = 0
            total = _sum_for(value, gate in layer.gate_words)
            _parameter(forced, f"bias_ih_{suffix}")[rows] = total
    return forced


def trace_forced(
    layer: Recurrent,
    x: Tensor,
    values: Mapping[str, float],
    *,
    start: int = 0,
    state: State | None = None,
    level: int | None = None,
    z_weighs: ZWeighs = "past",
) -> Trace:
    """Trace a layer whose gates are forced from a step on; before it they are the layer's own.

    Args:
        layer: of one direction.
        x: (T, B, D) input.
        values: as of `force_gates`.
        start: the first step that is forced, from 0; T and above: none is.
        state: where it starts; None is `initial_state`.
        level: as of `force_gates`.
        z_weighs: as of `force_gates`.

    Returns:
        What `Recurrent.trace` returns, of all T steps.

    Raises:
        ValueError: as of `force_gates`; a bidirectional layer, or a start below 0.
    """
    if layer.bidirectional or start < 0:
        got = "a bidirectional one" if layer.bidirectional else f"start={start}"
        raise ValueError(f"expected a layer of one direction and a start of at least 0, got {got}")
    forced = force_gates(layer, values, level=level, z_weighs=z_weighs)
    if start == 0:
        return forced.trace(x, state)
    before = layer.trace(x[:start], state)
    after = forced.trace(x[start:], before.state)
    cells = tuple(
        one._make(torch.cat(pair) for pair in zip(one, other, strict=True))
        for one, other in zip(before.cells, after.cells, strict=True)
    )
    return Trace(torch.cat([before.y, after.y]), after.state, cells)


def _sum_for(value: float, is_gate: bool) -> float:
    """The number whose sigmoid, or tanh, is a value."""
    lowest = 0 if is_gate else -1
    if value in (lowest, 1):
        return FAR if value == 1 else -FAR
    return math.log(value / (1 - value)) if is_gate else math.atanh(value)


def _parameter(layer: Recurrent, name: str) -> Tensor:
    """A parameter by its name; raise ValueError where something else stands in its place."""
    found = layer._parameters.get(name)
    if found is None:
        raise ValueError(f"expected {name} to be a plain parameter, got one that is made otherwise")
    return found


def _add_biases(layer: Recurrent) -> None:
    """Give a layer without biases some of 0, which compute the same."""
    layer.bias = True
    for level in range(layer.num_layers):
        for suffix in layer.suffixes(level):
            weight = _parameter(layer, f"weight_hh_{suffix}")
            for name in ("bias_ih", "bias_hh"):
                zeros = nn.Parameter(weight.new_zeros(len(weight)))
                layer.register_parameter(f"{name}_{suffix}", zeros)
    gather(layer)
