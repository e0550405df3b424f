"""How a stack of recurrent layers runs over time: directions, resets, lengths, and the trace."""

from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import dropout

from sidestep.sequence.state import State

from .lengths import at_end, flip_rows, padding, reverse_reset
from .operator import step_by_step, transformed

Parts = tuple[Tensor, ...]


class Weights(NamedTuple):
    """The parameters of one layer in one direction; G gates."""

    w_ih: Tensor  # (G * H, D)
    w_hh: Tensor  # (G * H, H)
    b_ih: Tensor | None  # (G * H,)
    b_hh: Tensor | None  # (G * H,)
    norm_ih: Tensor | None = None  # (G * H,) gains of layer normalisation
    norm_hh: Tensor | None = None  # (G * H,)
    norm_c: Tensor | None = None  # (H,), the LSTM's cell


class Trace(NamedTuple):
    """All that a layer computed, named.

    Attributes:
        y: (T, B, output_size), as `forward` returns it.
        state: as `forward` returns it.
        cells: one record for each layer and direction (forward first), with every state and gate
            (T, B, H) by name; in a reverse direction too, index t is the time of the input.
    """

    y: Tensor
    state: State
    cells: tuple[Any, ...]


class Layer(Protocol):
    """What `run_layers` needs of an RNN, LSTM or GRU."""

    record: ClassVar[Any]
    num_layers: int
    hidden_size: int
    dropout: float
    training: bool
    layer_norm: bool

    def suffixes(self, level: int) -> tuple[str, ...]:
        """torch.nn's endings of the parameters' names at this level, forward first."""

    def weights(self, suffix: str, dtype: torch.dtype | None) -> Weights:
        """The parameters with this ending."""

    def run_fused(self, x: Tensor, parts: Parts, flat: list[Tensor]) -> tuple[Tensor, Parts] | None:
        """All layers by torch's own kernel, parts (L, B, H); None where it cannot."""

    def run_direction(
        self, x: Tensor, parts: Parts, weights: Weights, reset: Tensor | None
    ) -> Parts:
        """All steps of one direction, parts (B, H): each state (T, B, H)."""

    def cell_step(self, x: Tensor, parts: Parts, weights: Weights) -> Any:
        """One step by the specification, x (B, D): a record (B, H), states first."""


def run_layers(
    layer: Layer,
    x: Tensor,
    parts: Parts,
    reset: Tensor | None,
    lengths: Tensor | None,
    traced: bool,
) -> tuple[Tensor, State, tuple[Any, ...]]:
    """Run x (T, B, D) through all layers; parts (L, B, H).

    Returns:
        The output (T, B, H * directions), the state after the rows' ends, and when `traced` a
        record for each layer and direction.
    """
    suffixes = [layer.suffixes(level) for level in range(layer.num_layers)]
    weights = [[layer.weights(suffix, x.dtype) for suffix in level] for level in suffixes]
    plain = reset is None and lengths is None and not (traced or layer.layer_norm)
    if plain and not torch.compiler.is_compiling() and x.shape[0]:
        fused = None
        flat = [weight for level in weights for found in level for weight in found[:4]]
        if not transformed(x, *parts, *flat):
            fused = layer.run_fused(x, parts, [weight for weight in flat if weight is not None])
        if fused is not None:
            return fused[0], bare(fused[1]), ()
    pad = None
    if lengths is not None:
        pad = padding(lengths, x.shape[0])  # (T, B)
        x = x.masked_fill(pad.unsqueeze(-1), 0)
        reset = None if reset is None else reset & ~pad
    cells: list[Any] = []
    finals: list[Parts] = []
    for level, (names, found) in enumerate(zip(suffixes, weights, strict=True)):
        if level and layer.dropout and layer.training:
            x = dropout(x, layer.dropout)
        outputs = []
        for suffix, matrices in zip(names, found, strict=True):
            start = tuple(part[len(finals)] for part in parts)
            reverse = suffix.endswith("reverse")
            record, final = _direction(
                layer, x, start, matrices, reverse, reset, lengths, pad, traced
            )
            cells.append(record)
            finals.append(final)
            outputs.append(record[0])
        x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
    if pad is not None:
        x = x.masked_fill(pad.unsqueeze(-1), 0)
    elif traced:
        x = x.clone()  # the record holds the states themselves
    new = tuple(torch.stack(column) for column in zip(*finals, strict=True))
    return x, bare(new), tuple(cells) if traced else ()


def _direction(
    layer: Layer,
    x: Tensor,
    start: Parts,
    weights: Weights,
    reverse: bool,
    reset: Tensor | None,
    lengths: Tensor | None,
    pad: Tensor | None,
    traced: bool,
) -> tuple[Any, Parts]:
    if reverse:
        x = flip_rows(x, lengths)
        reset = None if reset is None else reverse_reset(reset, lengths)
    if pad is not None:
        reset = pad if reset is None else reset | pad  # keeps the states of the padding bounded
    if traced or layer.layer_norm:
        record = step_by_step(
            lambda x_t, parts: layer.cell_step(x_t, parts, weights), layer.record, x, start, reset
        )
    else:
        record = layer.run_direction(x, start, weights, reset)
    ends = zip(record, start, strict=False)  # the states come first
    final = tuple(at_end(states, first, lengths) for states, first in ends)
    if reverse:
        flipped = [flip_rows(field, lengths) for field in record]
        record = layer.record._make(flipped) if traced else tuple(flipped)
    return record, final


def bare(parts: Parts) -> State:
    """A state as users hold it: one part alone without its tuple."""
    return parts[0] if len(parts) == 1 else parts
