"""The recurrence on a GPU beside cuDNN, and candidates for the table of plans.

`sidestep bench sequence --device cuda` shows the first; `.ci/gpu` runs either as a module, on
machines that hold torch and Triton alone. A ratio is the median over rounds of two times of one
round; float32 is without TF32 everywhere.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sidestep.sequence import GRU, LSTM, RNN
from sidestep.sequence.layers.cuda.plans import Plan

SHAPES = (
    (16, 64, 16, 64),
    (128, 64, 128, 128),
    (64, 32, 128, 256),
    (128, 1024, 64, 64),
    (128, 256, 512, 512),
    (16, 4096, 64, 64),
)
"""T, B, I, H."""
RESET_RATE = 0.02
CELLS: dict[str, tuple[Any, Any]] = {
    "GRU": (GRU, nn.GRU),
    "LSTM": (LSTM, nn.LSTM),
    "GRU, reset before": (partial(GRU, reset_after=False), nn.GRU),
    "RNN": (RNN, nn.RNN),
}
"""Ours and cuDNN's; the GRU that resets before stands beside the other one."""
ROWS = [(cell, shape) for shape in SHAPES for cell in ("GRU", "LSTM")]
ROWS += [(cell, SHAPES[k]) for k in (1, 3) for cell in ("GRU, reset before", "RNN")]
"""What the table shows."""
Shape = tuple[int, int, int, int]
Run = Callable[[], object]


def exactly() -> None:
    """Make float32 products float32, in torch's and in cuDNN's."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def passes(layer: Any, shape: Shape, dtype: torch.dtype, resets: bool) -> Run:
    """Forward and backward of a layer, ours or torch's, with gradients to everything."""
    steps, batch, inputs, hidden = shape
    torch.manual_seed(1)
    device = next(layer.parameters()).device
    options: dict[str, Any] = {"device": device, "dtype": dtype}
    x = torch.randn(steps, batch, inputs, requires_grad=True, **options)
    parts = [torch.randn(1, batch, hidden, **options) / 2 for _ in range(_states(layer))]
    parts = [part.requires_grad_() for part in parts]
    grad = torch.randn(steps, batch, hidden, **options)
    more = (torch.rand(steps, batch, device=device) < RESET_RATE,) if resets else ()
    wanted = [x, *parts, *layer.parameters()]

    def run() -> object:
        y, _ = layer(x, tuple(parts) if len(parts) > 1 else parts[0], *more)
        return torch.autograd.grad(y, wanted, grad)

    return run


def _states(layer: Any) -> int:
    return 2 if isinstance(layer, LSTM | nn.LSTM) else 1


def graphed(run: Run) -> Run:
    """The same, recorded once as a CUDA graph: the device's time without the host's."""
    side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = run()

    def replay() -> object:
        graph.replay()
        return kept

    return replay


def milliseconds(run: Run, calls: int) -> float:
    """Of a call, the host's work included."""
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(calls):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / calls * 1e3


def interleaved(runs: Mapping[str, Run], rounds: int, budget: float) -> dict[str, list[float]]:
    """Milliseconds of each run in each round, about `budget` seconds for one in one round."""
    calls = {}
    for name, run in runs.items():
        milliseconds(run, 2)
        calls[name] = max(2, min(100, int(budget * 1e3 / milliseconds(run, 3))))
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(milliseconds(run, calls[name]))
    return found


def compare(cell: str, shape: Shape, rounds: int, budget: float = 0.02) -> dict[str, Any]:
    """Ours with resets beside cuDNN without, both eager and in a graph, float32 and bfloat16."""
    ours, theirs = CELLS[cell]
    runs: dict[str, Run] = {}
    failed: dict[str, str] = {}
    for label, dtype in (("", torch.float32), (" bf16", torch.bfloat16)):
        torch.manual_seed(0)
        peer: Any = theirs(shape[2], shape[3]).to("cuda", dtype)
        layer = ours(shape[2], shape[3], device="cuda", dtype=dtype)
        both = {
            "cudnn": passes(peer, shape, dtype, False),
            "ours": passes(layer, shape, dtype, True),
        }
        for name, run in both.items():
            for mode, make in (("", lambda run: run), (" graph", graphed)):
                try:
                    runs[name + label + mode] = made = make(run)
                    made()
                    torch.cuda.synchronize()
                except Exception as error:  # goes on: a table with a gap says more than none
                    runs.pop(name + label + mode, None)
                    failed[name + label + mode] = f"{type(error).__name__}: {str(error)[:200]}"
    times = interleaved(runs, rounds, budget)
    ratios = {}
    for label in ("", " graph", " bf16", " bf16 graph"):
        one, other = times.get(f"ours{label}"), times.get(f"cudnn{label}")
        if one and other:
            ratios[label.strip() or "eager"] = statistics.median(map(_by, one, other))
    medians = {name: statistics.median(found) for name, found in times.items()}
    return {"cell": cell, "shape": shape, "ms": medians, "ratio": ratios, "failed": failed}


def _by(a: float, b: float) -> float:
    return a / b


COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "cell": lambda row: row["cell"],
    "T, B, I, H": lambda row: ", ".join(map(str, row["shape"])),
    "cuDNN ms": lambda row: _number(row["ms"].get("cudnn")),
    "resets ms": lambda row: _number(row["ms"].get("ours")),
    "resets / cuDNN": lambda row: _number(row["ratio"].get("eager"), 2),
    "in a graph: cuDNN ms": lambda row: _number(row["ms"].get("cudnn graph")),
    "resets ms ": lambda row: _number(row["ms"].get("ours graph")),
    "resets / cuDNN ": lambda row: _number(row["ratio"].get("graph"), 2),
    "bf16: resets ms": lambda row: _number(row["ms"].get("ours bf16")),
    "resets / cuDNN in bf16": lambda row: _number(row["ratio"].get("bf16"), 2),
}
"""Of the table, what stands in a row's cell; float32 where nothing is said."""


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def device_words() -> dict[str, Any]:
    """What the figures were measured on."""
    import triton

    cudnn: Any = torch.backends.cudnn
    return {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "triton": triton.__version__,
        "cudnn": cudnn.version(),
    }


# Candidates for the table of plans.


class Trial(NamedTuple):
    """One plan at one size, in one pass."""

    cell: str
    shape: Shape
    dtype: str
    back: bool
    plan: Plan


FLOAT32 = {
    (16, 64, 16, 64): """
        tile 16 64 64 r- 8 2, tile 16 64 64 r- 4 2, tile 16 64 64 r- 8 1, split 16 8 64 rs 4 1,
        split 16 16 64 rs 4 1, split 16 32 64 rs 4 1""",
    (128, 64, 128, 128): """
        split 16 8 128 rs 4 1, split 16 16 128 rs 4 1, split 16 32 128 r- 4 1,
        split 16 32 128 rs 4 1, split 16 8 64 -s 4 2, split 16 16 64 -s 4 2,
        split 16 16 128 r- 2 1, split 32 8 128 rs 4 1""",
    (64, 32, 128, 256): """
        split 16 8 256 rs 4 1, split 16 16 256 rs 4 1, split 16 16 64 -s 4 2,
        split 16 16 64 -s 4 3, split 16 16 128 -s 4 2, split 16 8 64 -s 4 3, split 16 8 128 -s 4 2,
        split 16 32 64 -- 4 3, split 16 32 64 -s 4 2""",
    (128, 1024, 64, 64): """
        tile 16 64 64 r- 8 2, tile 16 64 64 r- 8 1, tile 32 64 64 r- 8 2, tile 32 64 64 r- 8 1,
        split 32 16 64 rs 4 1, split 64 8 64 rs 4 1, split 64 16 64 rs 4 1, split 32 32 64 rs 4 1,
        split 16 32 64 rs 4 1""",
    (128, 256, 512, 512): """
        split 64 16 64 -- 4 2, split 64 16 64 -- 4 3, split 64 16 32 -- 8 3, split 64 16 32 -- 4 3,
        split 64 16 32 -s 4 2, split 64 16 64 -s 4 2, split 32 32 32 -s 4 3, split 32 32 64 -s 4 2,
        split 32 32 32 -- 8 3, split 128 8 32 -s 4 2""",
    (16, 4096, 64, 64): """
        tile 16 64 64 r- 8 2, tile 32 64 64 r- 8 2, tile 32 64 64 r- 8 1, split 128 16 64 rs 4 1,
        split 64 32 64 rs 4 1""",
}
BFLOAT16 = {
    (16, 64, 16, 64): "tile 16 64 64 r- 4 2, tile 16 64 64 r- 8 2, split 16 16 64 rs 4 1",
    (128, 64, 128, 128): """
        tile 16 128 128 r- 8 2, split 16 16 128 rs 4 1, split 16 32 128 rs 4 1""",
    (64, 32, 128, 256): """
        split 16 32 256 r- 4 1, split 16 16 256 rs 4 1, split 16 32 256 rs 4 1,
        split 16 8 256 rs 4 1""",
    (128, 1024, 64, 64): "tile 16 64 64 r- 4 2, tile 16 64 64 r- 8 2, tile 32 64 64 r- 8 2",
    (128, 256, 512, 512): """
        split 64 16 128 -- 4 2, split 64 16 512 rs 4 1, split 32 32 128 -s 4 2,
        split 64 16 128 -s 4 2, split 64 16 64 -s 4 3""",
    (16, 4096, 64, 64): "tile 16 64 64 r- 4 2, tile 32 64 64 r- 8 2, tile 32 64 64 r- 4 2",
}
"""Plans that could be good: kind, rows, units, depth, (r)esident (s)tacked, warps, stages."""


def candidates(shape: Shape, dtype: str) -> list[Plan]:
    """The plans to try at a size."""
    found = []
    for line in (FLOAT32 if dtype == "float32" else BFLOAT16)[shape].split(","):
        kind, rows, units, depth, flags, warps, stages = line.split()
        sizes = int(rows), int(units), int(depth)
        found.append(Plan(kind, *sizes, flags[0] == "r", int(warps), int(stages), flags[1] == "s"))
    return found


def trials(shapes: Sequence[Shape], dtypes: Sequence[str]) -> list[Trial]:
    """All of them."""
    return [
        Trial(cell, shape, dtype, back, plan)
        for shape in shapes
        for dtype in dtypes
        for plan in candidates(shape, dtype)
        for cell in ("GRU", "LSTM")
        for back in (False, True)
    ]


def prepare(trial: Trial, steps: int) -> tuple[Run, list[Tensor]]:
    """One pass of the kernels alone, and the tensors that it writes."""
    from sidestep.sequence.layers.cuda import launch

    _, batch, _, hidden = trial.shape
    torch.manual_seed(2)
    cell = launch.GRU if trial.cell == "GRU" else launch.LSTM
    options: dict[str, Any] = {"device": "cuda", "dtype": getattr(torch, trial.dtype)}
    slots = torch.randn(steps, batch, 4 * hidden, **options)
    states = torch.randn(steps, batch, hidden, **options) / 2
    h0, w = (
        torch.randn(batch, hidden, **options),
        torch.randn(cell.gates * hidden, hidden, **options),
    )
    w /= hidden**0.5
    cells, c0 = (states.clone(), h0.clone()) if cell.name == "lstm" else (None, None)
    bias = torch.randn(3 * hidden, **options) if cell.name == "gru" else None
    reset = torch.rand(steps, batch, device="cuda") < RESET_RATE
    if not trial.back:
        kept = [states, slots] + ([] if cells is None else [cells])

        def run() -> object:
            launch.run_forward(
                cell, trial.plan, "tf32x3", slots, states, cells, h0, c0, w, None, bias, reset
            )
            return None

        return run, kept
    slots.sigmoid_()
    grad = torch.randn(steps, batch, hidden, **options)
    outputs: list[Tensor] = []

    def run_back() -> object:
        outputs[:] = [
            t
            for t in launch.run_backward(
                cell, trial.plan, "tf32x3", grad, None, slots, states, cells, h0, c0, w, reset
            )
            if t is not None
        ]
        return outputs

    return run_back, outputs


def warm(trial: Trial) -> tuple[Trial, float | str]:
    """Compile a candidate in a process of its own; its error beside the plan of small steps."""
    try:
        results = []
        for plan in (trial.plan, Plan("step", 16, 16, 16, False, 4, 1)):
            run, outputs = prepare(trial._replace(plan=plan), 3)
            run()
            torch.cuda.synchronize()
            results.append([t.double() for t in outputs])
        gaps = [(a - b).abs().max() / b.abs().max() for a, b in zip(*results, strict=True)]
        worst = torch.stack(gaps).nan_to_num(nan=9.0).max().item()
        return trial, worst
    except Exception as error:
        return trial, f"{type(error).__name__}: {str(error)[:120]}"


def sweep(out: Path, seconds: float, processes: int = 14) -> None:
    """Compile all candidates side by side, then time each; the best of each size at the end."""
    shapes, begin = list(SHAPES), time.time()
    everything = trials(shapes, ("float32",)) + trials(shapes, ("bfloat16",))
    good: list[Trial] = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(warm, trial) for trial in everything]
        for future in waiting:
            left = seconds * 0.62 - (time.time() - begin)
            try:
                trial, found = future.result(timeout=max(0.01, left))
            except Exception as error:
                print("not compiled in time:", type(error).__name__, flush=True)
                continue
            bound = 1e-4 if trial.dtype == "float32" else 3e-2
            if isinstance(found, float) and found < bound:
                good.append(trial)
            else:
                print("BAD", tuple(trial), found, flush=True)
        for future in waiting:
            future.cancel()
        for process in (pool._processes or {}).values():
            process.terminate()
    print(f"{len(good)} of {len(everything)} compiled, {time.time() - begin:.0f} s", flush=True)
    rows = []
    for trial in good:
        if time.time() - begin > seconds:
            print("time is up", flush=True)
            break
        try:
            replay = graphed(prepare(trial, trial.shape[0])[0])
            milliseconds(replay, 1)
            took = statistics.median(milliseconds(replay, 3) for _ in range(3))
        except Exception as error:
            print("FAILED", tuple(trial), str(error)[:120], flush=True)
            continue
        rows.append((trial, took))
    record = [{**t._asdict(), "plan": t.plan._asdict(), "ms": ms} for t, ms in rows]
    (out / "sweep.json").write_text(json.dumps(record, indent=1))
    _show_best(rows)


def _show_best(rows: list[tuple[Trial, float]]) -> None:
    groups: dict[tuple[Any, ...], list[tuple[float, Plan]]] = {}
    for trial, ms in rows:
        groups.setdefault((trial.dtype, trial.shape, trial.cell, trial.back), []).append(
            (ms, trial.plan)
        )
    for (dtype, shape, cell, back), found in groups.items():
        found.sort(key=lambda pair: pair[0])
        words = "  ".join(f"{ms:.3f} {_short(plan)}" for ms, plan in found[:4])
        print(dtype[:4], cell, "bwd" if back else "fwd", *shape, "|", words, flush=True)


def _short(plan: Plan) -> str:
    kind, rows, units, depth, resident, warps, stages, stacked = plan
    flags = "r" * resident + "s" * stacked
    return f"{kind}({rows},{units},{depth},{flags or '-'},w{warps},{stages})"


def main() -> None:
    """Measure, print a table, and write JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    exactly()
    if options.sweep:
        sweep(options.out, options.seconds)
        return
    print(device_words(), flush=True)
    begin, rows = time.time(), []
    print(" | ".join(COLUMNS), flush=True)
    for cell, shape in ROWS:
        if time.time() - begin > options.seconds:
            print("time is up")
            break
        row = compare(cell, shape, options.rounds)
        rows.append(row)
        print(" | ".join(show(row) for show in COLUMNS.values()), flush=True)
        for name, error in row["failed"].items():
            print("   failed:", name, error, flush=True)
    record = {**device_words(), "reset_rate": RESET_RATE, "rows": rows}
    (options.out / "gpu.json").write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
