"""`sidestep bench sequence`: the recurrent layers beside torch.nn, interleaved in one run."""

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from sidestep.scripts.benches import gpu
from sidestep.scripts.benches.records import write_result
from sidestep.scripts.benches.skeleton import Flags, interleave, ratio, shown
from sidestep.scripts.shared.console import command, progress
from sidestep.sequence import GRU, LSTM, RNN
from sidestep.sequence.limits import COUNT, NATURAL

SHAPES = ((16, 64, 16, 64), (128, 64, 128, 128), (64, 32, 128, 256), (128, 8, 64, 64))
STEP_SIZES = ((64, 64), (64, 128))
RESET_RATE = 0.05
EXAMPLES = """\
  sidestep bench sequence
  sidestep bench sequence --quick --out out
  sidestep bench sequence --device cuda"""

Layer = GRU | LSTM | RNN


@dataclass(frozen=True)
class Options(Flags):
    """Time and memory of RNN, LSTM and GRU, with and without resets, beside torch.nn's."""

    repeats: int = 21
    """Interleaved rounds for each shape; the medians of their ratios are reported."""
    quick: bool = False
    """Three rounds and the smallest shape only: to see that it runs."""
    threads: int = 0
    """Threads of torch; 0 leaves torch's own choice."""
    seed: int = 0
    """Seed of weights, inputs and resets."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where; "cuda" is another table: resets beside cuDNN without, eager and in a CUDA graph."""
    limits: ClassVar = {"repeats": COUNT, "threads": NATURAL}

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device: expected a GPU that torch can use, got none")


@dataclass(frozen=True)
class Pair:
    """A layer and what it is measured against, torch.nn's kernel of the same cell."""

    name: str
    layer: Layer
    peer: nn.RNNBase


def pairs(inputs: int, hidden: int) -> list[Pair]:
    """The four kinds of cell at one size; the reset-before GRU stands beside torch's other one."""
    return [
        Pair("GRU", GRU(inputs, hidden), nn.GRU(inputs, hidden)),
        Pair("GRU, reset before", GRU(inputs, hidden, reset_after=False), nn.GRU(inputs, hidden)),
        Pair("LSTM", LSTM(inputs, hidden), nn.LSTM(inputs, hidden)),
        Pair("RNN", RNN(inputs, hidden), nn.RNN(inputs, hidden)),
    ]


def training_runs(pair: Pair, x: Tensor, reset: Tensor) -> dict[str, Callable[[], None]]:
    """Forward and backward of a pair: x (T, B, I), reset (T, B)."""
    grad = torch.randn(*x.shape[:2], pair.layer.hidden_size)

    def run(function: Callable[[], Tensor]) -> Callable[[], None]:
        return lambda: function().backward(grad)  # type: ignore[no-untyped-call]

    return {
        "torch": run(lambda: pair.peer(x)[0]),
        "plain": run(lambda: pair.layer(x)[0]),
        "resets": run(lambda: pair.layer(x, reset=reset)[0]),
        "cells": run(lambda: cell_loop(pair.layer, pair.layer.cell_step, x, reset)),
        "products": lambda: matrix_products(pair.layer, x),
        "torch_cells": run(lambda: cell_loop(pair.layer, pair.layer.fast_step, x, reset)),
    }


def cell_loop(layer: Layer, cell: Callable[..., Any], x: Tensor, reset: Tensor) -> Tensor:
    """The usual way to have resets: a cell at every step, of `cells.py` or torch's."""
    weights = layer.weights("l0", None)[:4]
    parts = tuple(x.new_zeros(x.shape[1], layer.hidden_size) for _ in layer.part_names)
    outputs = []
    for x_t, keep in zip(x.unbind(0), (~reset).unsqueeze(-1).unbind(0), strict=True):
        parts = cell(x_t, tuple(part * keep for part in parts), weights)[: len(parts)]
        outputs.append(parts[0])
    return torch.stack(outputs)


@torch.no_grad()
def matrix_products(layer: Layer, x: Tensor) -> None:
    """The matrix products of forward and backward and nothing else: what no way can do without."""
    (w_ih, w_hh, *_), rows = layer.weights("l0", None), x.flatten(0, 1)
    sums = rows @ w_ih.t()
    states = x.new_zeros(*x.shape[:2], layer.hidden_size)
    sum_t = sums.view(*x.shape[:2], -1).unbind(0)
    for h_t, a_t in zip(states.unbind(0), sum_t, strict=True):
        torch.mm(h_t, w_hh.t())
        torch.mm(a_t, w_hh)
    torch.mm(sums, w_ih)
    torch.mm(sums.t(), rows)
    torch.mm(sums.t(), states.flatten(0, 1))


def peak_memory(run: Callable[[], None]) -> int:
    """Bytes that a run has allocated at its worst moment, beyond what was there before."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # its profiler writes to the terminal
    run()
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        run()
    profiler: Any = profile.profiler
    events = [e for e in profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return int(peak)


def bench_training(options: Options, rounds: int) -> list[dict[str, Any]]:
    """Forward and backward at every shape: milliseconds, ratios and peak memory."""
    rows = []
    with progress() as bar:
        shapes = SHAPES[:1] if options.quick else SHAPES
        task = bar.add_task("forward + backward", total=4 * len(shapes))
        for shape in shapes:
            steps, batch, inputs, hidden = shape
            for pair in pairs(inputs, hidden):
                x = torch.randn(steps, batch, inputs, requires_grad=True)
                runs = training_runs(pair, x, torch.rand(steps, batch) < RESET_RATE)
                times = interleave(runs, rounds)
                rows.append(
                    {
                        "cell": pair.name,
                        "shape": shape,
                        "ms": {name: 1e3 * statistics.median(t) for name, t in times.items()},
                        "plain_by_torch": ratio(times, "plain", "torch"),
                        "resets_by_torch": ratio(times, "resets", "torch"),
                        "cells_by_resets": ratio(times, "cells", "resets"),
                        "products_by_resets": ratio(times, "products", "resets"),
                        "torch_cells_by_resets": ratio(times, "torch_cells", "resets"),
                        "memory": {name: peak_memory(run) for name, run in runs.items()},
                    }
                )
                bar.advance(task)
    return rows


def bench_step(rounds: int) -> list[dict[str, Any]]:
    """One acting step of 64 lanes, without gradients, beside torch's cell."""
    rows = []
    for inputs, hidden in STEP_SIZES:
        x, h = torch.randn(64, inputs), torch.randn(64, hidden)
        reset = torch.rand(64) < RESET_RATE
        cells: list[tuple[Layer, nn.RNNCellBase, Any]] = [
            (GRU(inputs, hidden), nn.GRUCell(inputs, hidden), h),
            (LSTM(inputs, hidden), nn.LSTMCell(inputs, hidden), (h, h)),
            (RNN(inputs, hidden), nn.RNNCell(inputs, hidden), h),
        ]
        for layer, cell, rows_of_cell in cells:
            rows.append(_bench_cell(layer, cell, x, rows_of_cell, reset, rounds))
    return rows


@torch.no_grad()
def _bench_cell(
    layer: Layer, cell: nn.RNNCellBase, x: Tensor, cell_state: Any, reset: Tensor, rounds: int
) -> dict[str, Any]:
    state = layer.initial_state(len(x))
    runs: dict[str, Callable[[], object]] = {
        "torch": lambda: cell(x, cell_state),
        "step": lambda: layer.step(x, state),
        "reset": lambda: layer.step(x, state, reset),
    }
    times = interleave({name: _hundred(run) for name, run in runs.items()}, rounds)
    return {
        "cell": type(layer).__name__,
        "shape": (len(x), layer.input_size, layer.hidden_size),
        "us": {name: 1e4 * statistics.median(t) for name, t in times.items()},
        "step_by_torch": ratio(times, "step", "torch"),
        "reset_by_torch": ratio(times, "reset", "torch"),
    }


def _hundred(run: Callable[[], object]) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(100):
            run()

    return repeat


Columns = dict[str, Callable[[dict[str, Any]], str]]


def _shape(row: dict[str, Any]) -> str:
    return ", ".join(map(str, row["shape"]))


TRAINING: Columns = {
    "cell": lambda row: row["cell"],
    "T, B, I, H": _shape,
    "torch.nn ms": lambda row: f"{row['ms']['torch']:.1f}",
    "resets ms": lambda row: f"{row['ms']['resets']:.1f}",
    "no resets / torch.nn": lambda row: f"{row['plain_by_torch']:.2f}",
    "resets / torch.nn": lambda row: f"{row['resets_by_torch']:.2f}",
    "cell loop / resets": lambda row: f"{row['cells_by_resets']:.1f}",
    "torch cell loop / resets": lambda row: f"{row['torch_cells_by_resets']:.1f}",
    "products / resets": lambda row: f"{row['products_by_resets']:.2f}",
    "peak memory / torch.nn": lambda row: f"{row['memory']['resets'] / row['memory']['torch']:.2f}",
}
STEP: Columns = {
    "cell": lambda row: row["cell"],
    "B, I, H": _shape,
    "torch's cell us": lambda row: f"{row['us']['torch']:.0f}",
    "step us": lambda row: f"{row['us']['step']:.0f}",
    "step / cell": lambda row: f"{row['step_by_torch']:.2f}",
    "with reset / cell": lambda row: f"{row['reset_by_torch']:.2f}",
}
"""Of a table, what stands in a row's cell."""


def _cells(rows: list[dict[str, Any]], columns: Columns) -> list[list[str]]:
    return [[cell(row) for cell in columns.values()] for row in rows]


def bench_gpu(options: Options) -> None:
    """Resets on a GPU beside cuDNN without."""
    gpu.exactly()
    rows = []
    with progress() as bar:
        cases = gpu.ROWS[:2] if options.quick else gpu.ROWS
        task = bar.add_task("forward + backward on the GPU", total=len(cases))
        for cell, shape in cases:
            rows.append(gpu.compare(cell, shape, 3 if options.quick else options.repeats))
            bar.advance(task)
    command = "sidestep bench sequence --device cuda"
    found = {**gpu.device_words(), "reset_rate": gpu.RESET_RATE, "rows": rows}
    write_gpu(options, found, command)


def write_gpu(options: Options, found: dict[str, Any], command: str) -> None:
    """Show and write what was measured on a GPU, as `gpu.main` records it."""
    cells = [[show(row) for show in gpu.COLUMNS.values()] for row in found["rows"]]
    table = shown("Forward + backward on a GPU", [*gpu.COLUMNS], cells)
    words = (
        f"Forward and backward on one {found['device']} (torch {found['torch']}, Triton "
        f"{found['triton']}), medians of interleaved rounds, a ratio their median. Resets come "
        f"with probability {found['reset_rate']} at every step of every row; cuDNN has none, and "
        "float32 is without TF32 on both sides. In a graph: the device's time without the host's, "
        "which is most of the time at small sizes. The GRU that resets before stands beside "
        "cuDNN's other one."
    )
    markdown = "\n\n".join(["## Recurrent layers on a GPU", words, table])
    write_result(options, "sequence-gpu", found, markdown, command)


def run(options: Options) -> None:
    """Measure, show and write."""
    torch.manual_seed(options.seed)
    if options.device == "cuda":
        bench_gpu(options)
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    rounds = 3 if options.quick else options.repeats
    training = bench_training(options, rounds)
    steps = bench_step(rounds)
    first = shown("Forward + backward", [*TRAINING], _cells(training, TRAINING))
    second = shown("One step, 64 lanes", [*STEP], _cells(steps, STEP))
    markdown = "\n\n".join(
        [
            "## Recurrent layers",
            "Time of forward and backward together, medians of interleaved rounds; a ratio is the "
            f"median over rounds. Resets come with probability {RESET_RATE} at every step of every "
            "row; torch.nn has none, so its time is without. The cell loops have them: one steps "
            "the equations of `cells.py`, the other torch's cell (for the reset-before GRU, which "
            f"torch lacks, the acting step). Products: the "
            "products of matrices in forward and backward alone, by torch.mm, which takes "
            "longer for large ones than oneDNN, whose they are here. Threads: "
            f"{torch.get_num_threads()}.",
            first,
            "One acting step of 64 lanes without gradients, beside torch's cell:",
            second,
        ]
    )
    result = {
        "seed": options.seed,
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "reset_rate": RESET_RATE,
        "training": training,
        "step": steps,
    }
    command = "sidestep bench sequence" + f" --threads {options.threads}" * bool(options.threads)
    write_result(options, "sequence", result, markdown, command)


main = command("bench sequence", Options, run, EXAMPLES)
