"""Runs of `lm`, `translate` and `forecast`: begun, gone on with, fitted under a bar; a curve."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import tyro
from matplotlib.figure import Figure
from torch import nn

from sidestep.scripts.shared.console import console
from sidestep.scripts.shared.curves import BLUE, GREY, plain_axes
from sidestep.scripts.shared.loop_bar import run_with_bar
from sidestep.scripts.shared.modules import NAMED
from sidestep.sequence.fitting.fitted import begun, facts_of, resumed, resumption
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig, check_fits
from sidestep.sequence.fitting.runs import Progress

Finish = Callable[[Fitter, Any, Path], None]
"""Fits a task with its fitter, and leaves what it made in the run's folder."""


@dataclass(frozen=True)
class ResumeOptions:
    """Go on with a run from its last checkpoint, exactly as if it had never stopped."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    updates: int | None = None
    """Train to so many updates; what the run was begun with if left out. Others bend what falls
    over all of them: a learning rate, a teacher forcing."""
    file: Path | None = None
    """Where the file that it learns from is now, if it was moved."""
    device: str | None = None
    """Where to go on, auto or a torch device; where the run was begun if left out."""


class Remade(NamedTuple):
    """What a run's record says, as far as it is needed before the file is read."""

    module: Callable[[], nn.Module]
    """Makes the architecture."""
    layers: int
    """Of it, which a checkpoint must have."""
    task: Callable[[FittingConfig], Any]
    """Makes the task again, from the file."""


def begin(
    command: str, name: str, out: Path | None, record: dict[str, Any], task: Any, finish: Finish
) -> Path:
    """Begin a run; returns its folder.

    Args:
        command: the word after `sidestep`.
        name: of what is fitted, in the folder's name.
        out: the folder; None: runs/COMMAND-NAME-TIME.
        record: what config.json holds.
        task: what is fitted; its `fitting` says how.
        finish: fits it.
    """
    folder = out or Path("runs") / f"{command}-{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    fitter = Fitter(task, task.fitting, folder, facts_of(record))
    with begun(folder, command, record, NAMED):  # only now: what fails leaves nothing behind
        finish(fitter, task, folder)
    return folder


def go_on(
    command: str,
    options: ResumeOptions,
    remake: Callable[[dict[str, Any]], Remade],
    finish: Finish,
) -> None:
    """Go on with a run.

    Args:
        command: the word after `sidestep`.
        options: say which, how far, and where its file is.
        remake: reads its record.
        finish: fits it.
    """
    folder = options.run
    with resumed(folder, command) as record:
        module, layers, task_of = remake(record)
        config, tensors, facts = resumption(folder, record, options.updates, console.print)
        config = replace(config, device=options.device or config.device)
        check_fits(module, tensors, layers)
        torch.set_num_threads(config.threads)
        task = task_of(config)
        fitter = Fitter(task, config, folder, facts_of(record))
        fitter.load_state_dict(tensors, facts)
        finish(fitter, task, folder)


def fit(fitter: Fitter, command: str) -> str | None:
    """Fit with a progress bar over losses; see `run_with_bar`."""
    return run_with_bar(fitter, command, losses_of, hint=", a smaller --learning-rate may help")


def losses_of(state: Progress) -> str:
    """Put an update's loss into words, with the last validation's."""
    words = f"loss {state.metrics['loss']:.3f}"
    return f"{words}  validation {state.evaluation['loss']:.3f}" if state.evaluation else words


def fitting_curve(records: list[dict[str, Any]], title: str, label: str) -> Figure:
    """Training and validation loss over updates.

    Args:
        records: the lines of metrics.jsonl.
        title: above the figure.
        label: of the loss with its unit.
    """
    lines = [r for r in records if "loss" in r]
    points = [r for r in records if "validation" in r]
    figure = Figure(figsize=(6, 3.6), dpi=120, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, parse_math=False)
    axes = figure.subplots()
    steps, losses = [r["steps"] for r in lines], [r["loss"] for r in lines]
    axes.plot(steps, losses, color=GREY, linewidth=1.2, label="training")
    if points:
        held_out = [r["validation"]["loss"] for r in points]
        axes.plot([r["steps"] for r in points], held_out, color=BLUE, marker="o", markersize=3,
                  label="validation")  # fmt: skip
    plain_axes(axes, "updates", label)
    axes.legend(frameon=False)
    return figure
