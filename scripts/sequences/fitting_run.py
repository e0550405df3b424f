"""A `Fitter` on the command line, and its curve."""

from typing import Any

from matplotlib.figure import Figure

from sidestep.scripts.shared.curves import BLUE, GREY, plain_axes
from sidestep.scripts.shared.loop_bar import run_with_bar
from sidestep.sequence.fitting.fitter import Fitter
from sidestep.sequence.fitting.runs import Progress


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
