"""Launch the kernels by a plan, on tensors as the operators hold them.

Under TRITON_INTERPRET=1 they run on the CPU's tensors too: that is how they are tested without a
device (not the barrier, as the interpreter runs one program after another).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .backward import backward
from .before import backward_before, forward_before
from .forward import forward
from .plans import Plan

LOOKS = 1 << 22
"""At a barrier's counter, about a microsecond each, before a program gives up."""


class Cell(NamedTuple):
    """What the skeletons ask of a cell."""

    name: str
    gates: int
    """Products with the state."""
    slots: int
    """What is saved of a step, in pieces of H."""


GRU, LSTM = Cell("gru", 3, 4), Cell("lstm", 4, 4)
RNN, RELU = Cell("rnn", 1, 1), Cell("relu", 1, 1)


def run_forward(
    cell: Cell,
    plan: Plan,
    precision: str,
    slots: Tensor,
    states: Tensor,
    cells: Tensor | None,
    h0: Tensor,
    c0: Tensor | None,
    w_hh: Tensor,
    bias_x: Tensor | None,
    bias: Tensor | None,
    reset: Tensor | None,
) -> None:
    """Fill `states`, `cells` and `slots`, in which the sums of x stand; see `forward.forward`."""
    steps, batch, hidden = states.shape
    if not states.numel():
        return
    tensors = (slots, states, cells, *plain(h0, c0, w_hh, bias_x, bias, reset))
    _launch(forward, cell, plan, precision, tensors, steps, (), batch, hidden, states)


def run_backward(
    cell: Cell,
    plan: Plan,
    precision: str,
    grad: Tensor | None,
    grad_c: Tensor | None,
    slots: Tensor,
    states: Tensor,
    cells: Tensor | None,
    h0: Tensor,
    c0: Tensor | None,
    w_hh: Tensor,
    reset: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Walk back; see `backward.backward`.

    Returns:
        The gradients of the sums (T, B, slots * H), what each step read (T, B, H), and the
        gradients of h and c before all (B, H).
    """
    steps, batch, hidden = states.shape
    deltas, read = torch.empty_like(slots), torch.empty_like(states)
    carried = torch.float32 if plan.kind == "step" else h0.dtype
    d_h = torch.empty(h0.shape, dtype=carried, device=h0.device)
    d_c = None if c0 is None else torch.empty_like(d_h)
    if d_h.numel():
        given = (*plain(grad, grad_c), slots, states, cells, *plain(h0, c0, w_hh, reset))
        tensors = (*given, deltas, read, d_h, d_c)
        passes = steps if plan.kind == "tile" else steps + 1
        _launch(backward, cell, plan, precision, tensors, passes, (steps,), batch, hidden, states)
    return deltas, read, d_h.to(h0.dtype), None if d_c is None else d_c.to(h0.dtype)


def plain(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    """The tensors, contiguous."""
    return tuple(None if t is None else t.contiguous() for t in tensors)


def run_forward_before(
    plan: Plan,
    precision: str,
    slots: Tensor,
    states: Tensor,
    h0: Tensor,
    w_hh: Tensor,
    reset: Tensor | None,
) -> None:
    """Fill `states` and `slots`, in which the sums of x stand; see `before.forward_before`."""
    steps, batch, hidden = states.shape
    if states.numel():
        gated = torch.empty_like(states[0]) if plan.kind == "split" else None
        tensors = (slots, states, *plain(h0, w_hh, reset), gated)
        _launch_before(forward_before, plan, precision, tensors, steps, batch, hidden, states)


def run_backward_before(
    plan: Plan,
    precision: str,
    grad: Tensor,
    slots: Tensor,
    states: Tensor,
    h0: Tensor,
    w_hh: Tensor,
    reset: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Walk back; see `before.backward_before`.

    Returns:
        The gradients of the sums (T, B, 3H), what each step read and r times that (T, B, H), and
        the gradient of the state before all (B, H).
    """
    steps, batch, hidden = states.shape
    deltas, read, gated = map(torch.empty_like, (slots, states, states))
    d_h = torch.empty(h0.shape, dtype=h0.dtype, device=h0.device)
    if d_h.numel():
        (upper,) = plain(grad)
        tensors = (upper, slots, states, *plain(h0, w_hh, reset), deltas, read, gated, d_h)
        _launch_before(backward_before, plan, precision, tensors, steps, batch, hidden, states)
    return deltas, read, gated, d_h


def _launch_before(
    kernel: Any,
    plan: Plan,
    precision: str,
    tensors: tuple[Tensor | None, ...],
    steps: int,
    batch: int,
    hidden: int,
    like: Tensor,
) -> None:
    grid = (-(-batch // plan.rows), -(-hidden // plan.units), 1)
    constants = (hidden, plan.rows, plan.units, plan.depth, plan.kind, precision, LOOKS)
    counters = _zeros(like.device, 2 * grid[0]) if plan.kind == "split" else None
    _call(kernel, grid, plan, tensors, (counters, steps, batch), constants, like)


def _launch(
    kernel: Any,
    cell: Cell,
    plan: Plan,
    precision: str,
    tensors: tuple[Tensor | None, ...],
    passes: int,
    sizes: tuple[int, ...],
    batch: int,
    hidden: int,
    like: Tensor,
) -> None:
    """One launch for all passes, or one for each."""
    grid = (-(-batch // plan.rows), -(-hidden // plan.units), 1)
    sizes_of = (hidden, plan.rows, plan.units, plan.depth)
    ways = (plan.resident, plan.stacked and cell.gates > 1, plan.kind, precision)
    constants = (cell.name, cell.gates, cell.slots, *sizes_of, *ways, LOOKS)
    counters = _zeros(like.device, 2 * grid[0]) if plan.kind == "split" else None
    pieces = [(k, k + 1) for k in range(passes)] if plan.kind == "step" else [(0, passes)]
    for begin, end in pieces:
        numbers = (counters, begin, end, *sizes, batch)
        _call(kernel, grid, plan, tensors, numbers, constants, like)


def _call(
    kernel: Any,
    grid: tuple[int, int, int],
    plan: Plan,
    tensors: tuple[Tensor | None, ...],
    numbers: tuple[Any, ...],
    constants: tuple[Any, ...],
    like: Tensor,
) -> None:
    """One launch, of what was compiled before if it was."""
    kinds = tuple(2 if t is None else t.data_ptr() % 16 == 0 for t in tensors)
    key = (kernel.__name__, constants, plan, like.dtype, like.device, kinds)
    compiled = _COMPILED.get(key)
    if compiled is not None:
        compiled[grid](*tensors, *numbers, *constants)
        return
    compiled = kernel[grid](
        *tensors,
        *numbers,
        *constants,
        num_warps=plan.warps,
        num_stages=plan.stages,
        enable_fp_fusion=True,
        launch_cooperative_grid=plan.kind == "split",  # all programs at once, or an error
    )
    if compiled is not None:  # by the interpreter there is none
        _COMPILED[key] = compiled


def _zeros(device: torch.device, size: int) -> Tensor:
    """Counters for a barrier: a stream's own, which every kernel leaves at zero.

    What runs at one time shares none: the kernels of a stream follow each other, and a graph, which
    may be replayed beside them, gets some of its own.
    """
    options: dict[str, Any] = {"dtype": torch.int32, "device": device}
    if not device.type == "cuda" or torch.cuda.is_current_stream_capturing():
        return torch.zeros(size, **options)
    stream = device.index, torch.cuda.current_stream().cuda_stream
    found = _COUNTERS.get(stream)
    if found is None or len(found) < size:
        found = _COUNTERS[stream] = torch.zeros(max(size, 1024), **options)
    return found


_COUNTERS: dict[Any, Tensor] = {}

_COMPILED: dict[Any, Any] = {}
"""What Triton has compiled: it finds it again by itself, but in half of a small batch's time."""
