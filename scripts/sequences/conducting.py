"""A `Fitter` on the command line: its progress bar, the signals that stop it, and its curve."""

import signal
import time
from typing import Any

from matplotlib.figure import Figure

from sidestep.scripts.shared.console import console, progress, stoppable
from sidestep.scripts.shared.curves import BLUE, GREY, plain_axes
from sidestep.sequence.fitting.checkpoint import latest_checkpoint
from sidestep.sequence.fitting.fitter import Fitter
from sidestep.sequence.fitting.runs import Progress


def conduct(fitter: Fitter, command: str, resume: str) -> str | None:
    """Fit with a progress bar; Ctrl-C and SIGTERM save and end it.

    Args:
        fitter: goes on from wherever it stands; has a folder.
        command: the word after `sidestep`, for messages.
        resume: the words that go on with the run; its folder follows.

    Returns:
        The signal's name if one stopped it, else None. The command finishes its work quickly and
        ends with `leave(name)`.

    Raises:
        SystemExit: a loss that is not finite, with one line that names the last good checkpoint.
    """
    folder = fitter.folder
    assert folder is not None
    with stoppable() as stop:
        try:
            _with_bar(fitter, command, stop)
        except FloatingPointError as error:
            kept = latest_checkpoint(folder).stem
            raise SystemExit(
                f"sidestep {command}: {error}; the last good one is {kept}, "
                "a smaller --learning-rate may help"
            ) from None
    if stop:
        console.print(f"Stopped by {stop[0]}; `{resume} {folder}` goes on from here.")
    return stop[0] if stop else None


def leave(stopped: str | None) -> None:
    """End the command with the exit code of the signal that stopped it, if any."""
    if stopped is not None:
        raise SystemExit(128 + signal.Signals[stopped].value)


def _with_bar(fitter: Fitter, command: str, stop: list[str]) -> None:
    total, words = fitter.config.updates, ""
    with progress("{task.fields[figures]}") as bar:
        task = bar.add_task(command, total=total, completed=fitter.updates, figures="")
        shown = 0.0

        def report(state: Progress) -> bool:
            nonlocal shown, words
            if state.evaluation:
                words = f"  validation {state.evaluation['loss']:.3f}"
            if time.monotonic() - shown > 0.1 or state.steps == total:
                shown = time.monotonic()
                figures = f"loss {state.metrics['loss']:.3f}{words}"
                bar.update(task, completed=state.steps, figures=figures)
            return not stop

        fitter.run(report)


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
