"""What RNN, LSTM and GRU layers share: stacking, directions, resets, lengths, state, and the trace.

Axis letters: T time, B batch, D input features, H hidden units, L layers times directions.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from sidestep.sequence.arguments import (
    autocast_dtype,
    check_floating,
    check_input,
    check_leaf,
    check_parts,
    check_reset,
)
from sidestep.sequence.chunks import Chunk, gather
from sidestep.sequence.state import State

from . import compiling
from .cudnn import cudnn_chunk
from .initialisation import INITS, Init, refresh, reinitialise
from .lengths import at_end, check_lengths, flip_rows, padding, reverse_reset
from .operator import transformed
from .steps import Parts, Weights, bare, step_by_step
from .traced import Trace as Trace

_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "norm_ih", "norm_hh", "norm_c")


class Recurrent(nn.Module):
    """Base of `RNN`, `LSTM` and `GRU`; see there."""

    gates: ClassVar[int]
    part_names: ClassVar[tuple[str, ...]]
    record: ClassVar[Any]
    forget_gate: ClassVar[int | None] = None
    span_gates: ClassVar[tuple[tuple[int, int], ...]] = ()  # see `remember_for`
    gate_words: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """For each field of `record` that lies in [0, 1], what the gate does when it is open."""
    gate_rows: ClassVar[Mapping[str, int]] = MappingProxyType({})  # which H rows; see `forcing`

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        bidirectional: bool = False,
        dropout: float = 0.0,
        layer_norm: bool = False,
        init: Init = "orthogonal",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Make the parameters under torch.nn's names."""
        super().__init__()
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, number in sizes.items():
            if number < 1:
                raise ValueError(f"expected {name} >= 1, got {number}")
        if not 0 <= dropout < 1:
            raise ValueError(f"expected 0 <= dropout < 1, got {dropout}")
        check_floating(dtype)
        if init not in INITS:
            raise ValueError(f"expected init to be one of {INITS}, got {init!r}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.bidirectional, self.dropout = bias, bidirectional, dropout
        self.layer_norm, self.init = layer_norm, init
        self.directions = 2 if bidirectional else 1
        self.output_size = hidden_size * self.directions
        self._simple = num_layers == 1 and not (bidirectional or layer_norm)
        self._names: dict[str, tuple[str, ...]] = {}
        for layer in range(num_layers):
            width = input_size if layer == 0 else self.output_size
            for suffix in self.suffixes(layer):
                self._names[suffix] = tuple(f"{name}_{suffix}" for name in self._parameter_sizes(1))
                for name, size in self._parameter_sizes(width).items():
                    empty = None if size is None else torch.empty(size, device=device, dtype=dtype)
                    parameter = None if empty is None else nn.Parameter(empty)
                    self.register_parameter(f"{name}_{suffix}", parameter)
        self.reset_parameters(generator)

    def suffixes(self, level: int) -> tuple[str, ...]:
        """torch.nn's endings of the parameters' names at this level, forward first."""
        names = (f"l{level}", f"l{level}_reverse")
        return names[: self.directions]

    def _parameter_sizes(self, width: int) -> dict[str, tuple[int, ...] | None]:
        """By torch.nn's names; None where the layer does without."""
        rows, hidden = self.gates * self.hidden_size, self.hidden_size
        bias = (rows,) if self.bias else None
        sizes: list[tuple[int, ...] | None] = [(rows, width), (rows, hidden), bias, bias]
        if self.layer_norm:
            sizes += [(rows,), (rows,), (hidden,) if "c" in self.part_names else None]
        return dict(zip(_PARAMETERS, sizes, strict=False))

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all parameters anew; see `initialise`.

        Raises:
            RuntimeError: one of them is a plain tensor, or made by a hook.
        """
        names = [name for names in self._names.values() for name in names]
        reinitialise(self, names, self.gates, self.init, self.forget_gate, generator)

    def memory_layout(self) -> Chunk | None:
        """Where cuDNN wants the weights to lie; None where it does not run this layer."""
        mode = None if self.layer_norm else self.cudnn_mode()
        names = [name for found in self._names.values() for name in found[: 4 if self.bias else 2]]
        sizes = (self.input_size, self.hidden_size, self.num_layers, self.directions)
        return cudnn_chunk(self._parameters, names, mode, sizes)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Move or convert the parameters, as `to` does; then lay them anew."""
        module = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        gather(self)
        return module

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Lay the parameters anew: a deep copy or a pickle parts them."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        gather(self)

    def extra_repr(self) -> str:
        """The sizes, and what differs from the defaults."""
        words = [f"{self.input_size}, {self.hidden_size}"]
        if self.num_layers > 1:
            words.append(f"num_layers={self.num_layers}")
        if self.dropout:
            words.append(f"dropout={self.dropout}")
        words += [name for name in ("bidirectional", "layer_norm") if getattr(self, name)]
        return ", ".join(words)

    def initial_state(self, batch: int) -> State:
        """Zeros: (L, batch, H); the LSTM's is a pair (h, c) of them."""
        size = (self.num_layers * self.directions, batch, self.hidden_size)
        return bare(tuple(self._like.new_zeros(size) for _ in self.part_names))

    def weights(self, suffix: str, dtype: torch.dtype | None) -> Weights:
        """The parameters with this ending, in `dtype` unless it is None.

        Each is asked for by its name, as torch.nn's layers do: it may be a plain tensor, or made
        by a parametrisation.
        """
        own: Any = self._parameters  # a tenth of getattr's time, which a small batch would feel
        found: list[Any] = [own[n] if n in own else getattr(self, n) for n in self._names[suffix]]
        if self.bias and (found[2] is None or found[3] is None):  # taken away by the user
            zeros = found[1].new_zeros(found[1].shape[0])
            found[2:4] = [zeros if bias is None else bias for bias in found[2:4]]
        if dtype is not None:
            found = [w if w is None or w.dtype == dtype else w.to(dtype) for w in found]
        return Weights(*found)

    @property
    def _like(self) -> Tensor:
        """A tensor with the dtype and device of the weights; runs no parametrisation."""
        plain = self._parameters.get("weight_hh_l0")
        found = next(self.parameters(), None) if plain is None else plain
        return cast(Tensor, self.weight_hh_l0 if found is None else found)

    # What the kinds of cell define: the first, and the others where there is a faster way.

    def cell_step(self, x: Tensor, parts: Parts, weights: Weights) -> Any:
        """One step by the specification: x (B, D), parts (B, H); a record, states first."""
        raise NotImplementedError

    def run_direction(
        self, x: Tensor, parts: Parts, weights: Weights, reset: Tensor | None
    ) -> Parts:
        """All steps of one direction: x (T, B, D), parts (B, H); each state (T, B, H).

        A kind of cell that has no faster way runs by its specification.
        """
        record = step_by_step(
            lambda x_t, rows: self.cell_step(x_t, rows, weights), self.record, x, parts, reset
        )
        return tuple(record[: len(parts)])

    def cudnn_mode(self) -> str | None:
        """Torch's word for the cell, as cuDNN knows it; None where it does not."""
        return None

    def run_fused(self, x: Tensor, parts: Parts, flat: list[Tensor]) -> tuple[Tensor, Parts] | None:
        """All layers by torch's own kernel; None where it computes otherwise.

        Args:
            x: (T, B, D).
            parts: the states, (L, B, H) each.
            flat: the parameters of all layers and directions in torch's order.
        """
        return None

    def fast_step(self, x: Tensor, parts: Parts, weights: Any) -> Parts:
        """One step of acting: the new states only, each (B, H)."""
        return tuple(self.cell_step(x, parts, Weights(*weights))[: len(parts)])

    def compiled_step(self, x: Tensor, parts: Parts, weights: Any) -> tuple[Tensor, Parts] | None:
        """`fast_step` by a kernel: the output, and the new states; None where there is none."""
        return None

    def fused_options(self) -> tuple[bool, int, float, bool, bool, bool]:
        """What torch.lstm, torch.gru and their like take after the parameters."""
        layers, dropout, directions = self.num_layers, self.dropout, self.bidirectional
        return self.bias, layers, dropout, self.training, directions, False

    # What a user calls.

    def step(self, x: Tensor, state: State, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """One tick: what `forward` does with T = 1, cheaper.

        Args:
            x: (B, D) input.
            state: from `initial_state` or the last call; left as it is.
            reset: (B,) boolean, True: the row's state is cleared before x is consumed.

        Returns:
            The output (B, H) and the new state, which share no memory.

        Raises:
            ValueError: a wrong shape or device, or the layer is bidirectional.
            TypeError: a wrong dtype, or a state of another kind of layer.
        """
        if self.bidirectional:
            raise ValueError("expected a layer of one direction to step, got a bidirectional one")
        if self._forward_pre_hooks:
            refresh(self)
        parts: Any = state if isinstance(state, tuple) else (state,)
        if not self._fits(x, parts):
            check_input(x, "B", self.input_size, self._like)
            parts = self._check_state(state, x)
        if reset is not None:
            check_reset(reset, (x.shape[0],), x.device)
            cleared = reset.view(1, -1, 1)
            parts = tuple([part.masked_fill(cleared, 0) for part in parts])
        dtype = autocast_dtype(x)
        if dtype is not None:
            with torch.autocast(x.device.type, enabled=False):
                return self._step(x.to(dtype), tuple(part.to(dtype) for part in parts), dtype)
        if not self._simple or torch._C._are_functorch_transforms_active() or not x.is_cpu:
            return self._step(x, parts, None)
        found: Any = self._parameters  # a tenth of getattr's time, which a step would feel
        w_ih, w_hh, b_ih, b_hh = self._names["l0"]
        try:
            weights = (found[w_ih], found[w_hh], found[b_ih], found[b_hh])
        except KeyError:  # one is no parameter
            weights = self.weights("l0", None)[:4]
        rows = tuple([part.squeeze(0) for part in parts])
        acted = self.compiled_step(x, rows, weights) if compiling.serve_step(x) else None
        if acted is None:
            new = self.fast_step(x, rows, weights)
            acted = new[0].clone(), new  # what is done to the output leaves the state alone
        return acted[0], bare(tuple([part.unsqueeze(0) for part in acted[1]]))

    def _fits(self, x: Tensor, parts: tuple[Any, ...]) -> bool:
        """Whether input and state are right, in the least time; else the checks say what is not."""
        like: Any = self._parameters.get("weight_hh_l0")
        if like is None or not isinstance(x, Tensor) or not x.is_cpu or x.ndim != 2:
            return False
        dtype, expected = like.dtype, (self.num_layers, x.shape[0], self.hidden_size)
        if x.shape[1] != self.input_size or x.dtype != dtype or not like.is_cpu:
            return False
        if len(parts) != len(self.part_names):
            return False
        for part in parts:
            if not isinstance(part, Tensor) or part.shape != expected:
                return False
            if part.dtype != dtype or not part.is_cpu:
                return False
        return True

    def _step(self, x: Tensor, parts: Parts, dtype: torch.dtype | None) -> tuple[Tensor, State]:
        """One tick of any stack, without checks."""
        weights = [self.weights(f"l{level}", dtype) for level in range(self.num_layers)]
        known = [weight for found in weights for weight in found]
        by_cells = self.layer_norm or transformed(x, *parts, *known)  # torch's cells know no vmap
        columns: list[Parts] = []
        for level, rows in enumerate(zip(*(part.unbind(0) for part in parts), strict=True)):
            if level and self.dropout and self.training:
                x = dropout(x, self.dropout)
            if by_cells:
                new = tuple(self.cell_step(x, rows, weights[level])[: len(parts)])
            else:
                new = self.fast_step(x, rows, weights[level][:4])
            columns.append(new)
            x = new[0]
        stacked = tuple(torch.stack(column) for column in zip(*columns, strict=True))
        return x.clone(), bare(stacked)

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        reset: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Run over a sequence.

        Args:
            x: (T, B, D) input, T >= 0.
            state: where it starts; None is `initial_state`.
            reset: (T, B) boolean, True where a new episode starts at t: the state is cleared
                before x[t] is consumed. A reverse direction never crosses that border either; its
                own state enters at the end of the row.
            lengths: (B,) integers in 0..T. Steps from there on are padding: whatever stands there,
                NaN too, is not used, and the output there is zero.

        Returns:
            The output (T, B, H * directions), and the state after each row's last step (a reverse
            direction's after its first).

        Raises:
            ValueError: a wrong shape, device or length.
            TypeError: a wrong dtype, or a state of another kind of layer.
        """
        y, new, _ = self._sequence(x, state, reset, lengths, traced=False)
        return y, new

    def trace(
        self,
        x: Tensor,
        state: State | None = None,
        reset: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Trace:
        """What `forward` does, with every state and gate, by the specification's loop (slow).

        Everything in the record is part of the autograd graph.
        """
        refresh(self)
        return Trace(*self._sequence(x, state, reset, lengths, traced=True))

    # How it is done.

    def _check_state(self, state: State, x: Tensor) -> Parts:
        expected = (self.num_layers * self.directions, x.shape[-2], self.hidden_size)
        parts = check_parts(state, self.part_names)
        for name, part in zip(self.part_names, parts, strict=True):
            check_leaf(part, name, expected, x)
        return cast(Parts, parts)

    def _sequence(
        self,
        x: Tensor,
        state: State | None,
        reset: Tensor | None,
        lengths: Tensor | None,
        traced: bool,
    ) -> tuple[Tensor, State, tuple[Any, ...]]:
        check_input(x, "T, B", self.input_size, self._like)
        steps, batch, _ = x.shape
        parts = self._check_state(self.initial_state(batch) if state is None else state, x)
        if reset is not None:
            check_reset(reset, (steps, batch), x.device)
        if lengths is not None:
            lengths = check_lengths(lengths, steps, batch, x.device)
        dtype = autocast_dtype(x)
        if dtype is None:
            return self._run(x, parts, reset, lengths, traced)
        with torch.autocast(x.device.type, enabled=False):
            parts = tuple(part.to(dtype) for part in parts)
            return self._run(x.to(dtype), parts, reset, lengths, traced)

    def _run(
        self, x: Tensor, parts: Parts, reset: Tensor | None, lengths: Tensor | None, traced: bool
    ) -> tuple[Tensor, State, tuple[Any, ...]]:
        """Run x (T, B, D) through all layers; parts (L, B, H).

        Returns:
            The output (T, B, H * directions), the state after the rows' ends, and when `traced` a
            record for each layer and direction.
        """
        suffixes = [self.suffixes(level) for level in range(self.num_layers)]
        weights = [[self.weights(suffix, x.dtype) for suffix in level] for level in suffixes]
        plain = reset is None and lengths is None and not (traced or self.layer_norm)
        if plain and not torch.compiler.is_compiling() and x.shape[0]:
            flat = [w for level in weights for found in level for w in found[:4] if w is not None]
            fused = None if transformed(x, *parts, *flat) else self.run_fused(x, parts, flat)
            if fused is not None:
                return fused[0], bare(fused[1]), ()
        pad = None
        if lengths is not None:
            pad = padding(lengths, x.shape[0])  # (T, B)
            x = x.masked_fill(pad.unsqueeze(-1), 0)
            reset = None if reset is None else reset & ~pad
        starts = [(p.squeeze(0),) if len(p) == 1 else p.unbind(0) for p in parts]  # (B, H) each
        cells: list[Any] = []
        finals: list[Parts] = []
        for level, (names, found) in enumerate(zip(suffixes, weights, strict=True)):
            if level and self.dropout and self.training:
                x = dropout(x, self.dropout)
            outputs = []
            for suffix, matrices in zip(names, found, strict=True):
                start = tuple(rows[len(finals)] for rows in starts)
                reverse = suffix.endswith("reverse")
                record, final = self._direction(
                    x, start, matrices, reverse, reset, lengths, pad, traced
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
        self,
        x: Tensor,
        start: Parts,
        weights: Weights,
        reverse: bool,
        reset: Tensor | None,
        lengths: Tensor | None,
        pad: Tensor | None,
        traced: bool,
    ) -> tuple[Any, Parts]:
        """One direction of a layer: the record, at the times of its input, and its last states."""
        if reverse:
            x = flip_rows(x, lengths)
            reset = None if reset is None else reverse_reset(reset, lengths)
        if pad is not None:
            reset = pad if reset is None else reset | pad  # keeps the states of the padding bounded
        if traced or self.layer_norm:
            record = step_by_step(
                lambda x_t, parts: self.cell_step(x_t, parts, weights), self.record, x, start, reset
            )
        else:
            record = self.run_direction(x, start, weights, reset)
        ends = zip(record, start, strict=False)  # the states come first
        final = tuple(at_end(states, first, lengths) for states, first in ends)
        if reverse:
            flipped = [flip_rows(field, lengths) for field in record]
            record = self.record._make(flipped) if traced else tuple(flipped)
        return record, final
