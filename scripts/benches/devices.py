"""`sidestep bench devices`: training on a GPU beside one thread of the CPU, by lanes and network.

What `auto` chooses by is read off its table: the multiply-adds at which the ratio passes 1.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from sidestep.agents import EnvConfig, RunConfig, Trainer, TrainingConfig, make_vector
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.runs import build_agent
from sidestep.scripts.benches.records import write_result
from sidestep.scripts.benches.skeleton import Flags, interleave, ratio, shown
from sidestep.scripts.benches.trials import ENV, LEARNERS, Learners, Memories
from sidestep.scripts.sequences.lm_task import LanguageTask, StreamConfig, default_text
from sidestep.scripts.sequences.translate_data import DataConfig, corpus_of
from sidestep.scripts.sequences.translate_task import TranslationTask
from sidestep.scripts.shared.console import command, progress, say
from sidestep.sequence import GRU, LSTM
from sidestep.sequence.devices import FASTER_FROM, Work, device_of, work_of
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig
from sidestep.sequence.limits import COUNT, POSITIVE
from sidestep.sequence.models.language import LanguageConfig
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig

EXAMPLES = """\
  sidestep bench devices
  sidestep bench devices --lanes 256 8192 --memories gru --workers 8
  sidestep bench devices --device cpu --lanes 64 --seconds 0.1"""

WARM = 2
"""Updates before the clock: kernels are compiled and memory is taken in them."""


@dataclass(frozen=True)
class Options(Flags):
    """Measure training on a device beside one thread of the CPU."""

    device: str = "cuda"
    """The device."""
    learners: Learners = LEARNERS
    """Of agents."""
    memories: Memories = ("none", "gru")
    """Of agents."""
    lanes: tuple[int, ...] = (256, 512, 1024, 2048, 4096, 8192)
    """Of agents."""
    sequences: bool = True
    """Measure language models and translation too."""
    layers: bool = True
    """Measure layers without resets beside torch.nn's on the device."""
    seconds: float = 2.0
    """Of a measurement, at least; it ends with an update."""
    workers: int = 1
    """Processes that measure the CPU side by side, one thread each; with more than the processor
    has cores to spare they slow each other down."""
    limits: ClassVar = {"seconds": POSITIVE, "workers": COUNT}

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if min(self.lanes, default=0) < 1:
            raise ValueError(f"lanes: expected positive numbers, got {self.lanes}")


class Job(NamedTuple):
    """One training that is measured."""

    name: str
    rows: int
    """Lanes of an agent, rows of a batch."""
    learner: str = ""
    """Of an agent; empty: a sequence model."""
    memory: str = ""
    """Of an agent; of a sequence model what it is."""


class Measured(NamedTuple):
    """What a training does a second: env steps, or symbols that are learned from."""

    rate: float
    work: Work


def jobs_of(options: Options) -> list[Job]:
    """Every training that the flags ask for."""
    jobs = [
        Job(f"{learner}, {memory}", lanes, learner, memory)
        for learner in options.learners
        for memory in options.memories
        for lanes in options.lanes
    ]
    if options.sequences:
        jobs += [Job(f"lm, {c}", rows, memory=c) for c in ("lstm", "gru") for rows in (2, 16, 64)]
        jobs += [Job("translate", rows, memory="translate") for rows in (8, 64)]
    return jobs


def measure(job: Job, device: str, seconds: float) -> Measured:
    """Train on one device until `seconds` have passed."""
    torch.set_num_threads(1)
    trainer, learned, work = _agent(job, device) if job.learner else _sequence(job, device)
    wait = torch.cuda.synchronize if device != "cpu" else _not_at_all
    for _ in range(WARM if device != "cpu" else 1):
        trainer._update()
    wait()
    begin, before = time.perf_counter(), learned()
    trainer._update()
    while time.perf_counter() - begin < seconds:
        trainer._update()
    wait()
    return Measured((learned() - before) / (time.perf_counter() - begin), work)


def _not_at_all() -> None:
    """Wait for nothing: the CPU has done what it was asked."""


Made = tuple[Any, Callable[[], float], Work]
"""What updates, what counts how far it is, and its work."""


def _agent(job: Job, device: str) -> Made:
    """An agent on the default world, with the preset's settings at so many lanes."""
    settings, _ = preset(job.learner, ENV, job.memory)
    training = TrainingConfig(total_steps=10**9, num_envs=job.rows, evaluate_every=0)
    run = RunConfig(job.learner, EnvConfig(ENV), settings, training)
    env = make_vector(run.env, job.rows)
    agent = build_agent(run, 0, device, env=env)
    work = agent.work(agent.observation_space, agent.action_space, settings, job.rows)
    return Trainer(agent, env, training), lambda: agent.steps, work


def _sequence(job: Job, device: str) -> Made:
    """A model of the commands `lm` or `translate`, with their settings."""
    fitting = FittingConfig(updates=10**6, device=device)
    task: Any
    if job.memory == "translate":
        data, model = DataConfig(batch_size=job.rows), Seq2SeqConfig()
        task = TranslationTask(corpus_of(None, data, model.max_source), data, model, fitting)
        work = task.work(model)
    else:
        stream = StreamConfig(rows=job.rows)
        task = LanguageTask(default_text(), LanguageConfig(cell=job.memory), stream, fitting)
        work = work_of(task.module, stream.rows * stream.steps)
    fitter = Fitter(task, fitting)
    return fitter, lambda: fitter.window[1], work


SHAPE = (128, 64, 128, 128)
"""T, B, D and H of the layers that are measured."""


def beside_torch(device: str, shape: tuple[int, ...] = SHAPE, rounds: int = 21) -> dict[str, float]:
    """Seconds of GRU and LSTM without resets by those of torch.nn's, forward and backward.

    Both run torch's own kernel on a GPU: 1 says that weights are found where they should lie.
    """
    steps, batch, inputs, hidden = shape
    x = torch.randn(steps, batch, inputs, device=device)
    found = {}
    for name, kind in (("GRU", GRU), ("LSTM", LSTM)):
        layer: Any = kind(inputs, hidden, device=device)
        runs = {"ours": partial(_pass, layer, x), "torch": partial(_pass, layer.to_torch(), x)}
        found[name] = ratio(interleave(runs, rounds), "ours", "torch")
    return found


def _pass(layer: Any, x: Tensor) -> None:
    layer(x)[0].sum().backward()
    if x.is_cuda:
        torch.cuda.synchronize()


def run(options: Options) -> None:
    """Measure every training on both; write the result."""
    device, jobs = device_of(options.device), jobs_of(options)
    on_cpu = _all(jobs, "cpu", options.seconds, options.workers)
    on_device = _all(jobs, device, options.seconds, 1)
    plain = beside_torch(device) if options.layers else {}
    name = torch.cuda.get_device_name() if device.startswith("cuda") else device
    ratios = [b.rate / a.rate for a, b in zip(on_cpu, on_device, strict=True)]
    columns = ("training", "rows", "multiply-adds", "CPU /s", f"{device} /s", "ratio", "auto")
    rows = [
        [job.name, f"{job.rows:,}", f"{a.work.products / 1e6:,.1f} M per {a.work.unit}",
         f"{a.rate:,.0f}", f"{b.rate:,.0f}", f"{faster:.2f}",
         device if a.work.is_much else "cpu"]
        for job, a, b, faster in zip(jobs, on_cpu, on_device, ratios, strict=True)
    ]  # fmt: skip
    table = shown(f"Training on {name}", columns, rows)
    units = [m.work.unit for m in on_cpu]
    even = {u: break_even(u, [m.work for m in on_cpu], ratios) for u in FASTER_FROM if u in units}
    page = f"""## Training on a device

Env steps of agents on `{ENV}` and symbols of sequence models that are learned from in a second,
each with its command's settings at so many lanes or rows: on {name}, and on one thread of the CPU.

{table}"""
    if plain:
        words = " and ".join(f"{value:.2f} ({kind})" for kind, value in plain.items())
        page += f"\n\nLayers without resets, (T, B, D, H) = {SHAPE}, by torch.nn's time: {words}."
        say(f"Layers without resets, by torch.nn's time on {device}: {words}")
    record = {
        "device": name,
        "torch": torch.__version__,
        "break_even": even,
        "table": FASTER_FROM,
        "layers_by_torch": plain,
        "trainings": [
            {**job._asdict(), **a.work._asdict(), "cpu": a.rate, "device": b.rate}
            for job, a, b in zip(jobs, on_cpu, on_device, strict=True)
        ],
    }
    write_result(options, "devices", record, page)


def _all(jobs: Sequence[Job], device: str, seconds: float, workers: int) -> list[Measured]:
    """Measure one after the other, or in processes side by side."""
    with progress("{task.fields[now]}") as bar:
        task = bar.add_task(f"on {device}", total=len(jobs), now="")
        if workers == 1:
            found = []
            for job in jobs:
                bar.update(task, now=f"{job.name}, {job.rows}")
                found.append(measure(job, device, seconds))
                bar.advance(task)
            return found
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context) as pool:
            asked = [pool.submit(measure, job, device, seconds) for job in jobs]
            for future in asked:
                future.result()
                bar.advance(task)
            return [future.result() for future in asked]


def break_even(unit: str, works: Sequence[Work], ratios: Sequence[float]) -> float | None:
    """The multiply-adds that divide best what was slower on the device from what was faster.

    Args:
        unit: of those that count.
        works: of each training.
        ratios: the device's rate by the CPU's, of each.

    Returns:
        The middle (in logarithms) of the two between which fewest are on the wrong side; None where
        all are on one side.
    """
    pairs = zip(works, ratios, strict=True)
    known = sorted((work.products, r > 1) for work, r in pairs if work.unit == unit)
    if len({faster for _, faster in known}) < 2:
        return None
    wrong = [
        sum(faster for _, faster in known[:cut]) + sum(not faster for _, faster in known[cut:])
        for cut in range(1, len(known))
    ]
    best = wrong.index(min(wrong)) + 1
    return statistics.geometric_mean((known[best - 1][0], known[best][0]))


main = command("bench devices", Options, run, EXAMPLES)
