"""What a character model's training leaves to look at: its curve beside counted models, a table."""

import math
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table
from torch import Tensor

from sidestep.scripts.sequences.lm_task import LanguageTask
from sidestep.scripts.shared.console import table
from sidestep.scripts.shared.curves import BLUE, GREY, ORANGE, plain_axes
from sidestep.sequence.fitting.fitter import Fitter
from sidestep.sequence.models.language import nats_per_character
from sidestep.sequence.models.markov import WindowModel

WINDOWS = (0, 1, 2, 3, 5)
"""Characters that the counted models see."""


def counted_nats(task: LanguageTask) -> dict[int, float]:
    """Nats per character of models that count windows of the training part, by window.

    Of the held-out part; where nothing is held out, of the text itself.
    """
    size, nats = len(task.vocabulary), {}
    training, held_out = task.training.cpu().numpy(), measured_part(task).cpu().numpy()
    for window in WINDOWS:
        if window < len(training) and (size + 1) ** window * size < 2**63:
            model = WindowModel([training], size, window)
            nats[window] = -model.log_likelihood(held_out) / len(held_out)
    return nats


def measured_part(task: LanguageTask) -> Tensor:
    """The held-out symbols, or all where nothing is held out."""
    return task.validation if len(task.validation) else task.training


def window_name(window: int) -> str:
    """A counted model in words."""
    names = {0: "single characters", 1: "Markov model"}
    return names.get(window, f"window of {window}")


def language_curve(records: list[dict[str, Any]], title: str, counted: dict[int, float]) -> Figure:
    """Nats per character over updates, with the counted models as levels, and bits at the right.

    Args:
        records: the lines of metrics.jsonl.
        title: above the figure.
        counted: held-out nats by window, from `counted_nats`.
    """
    figure = Figure(figsize=(7.4, 4.2), dpi=120, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    axes: Any = figure.subplots()
    lines = [r for r in records if "loss" in r]
    points = [r for r in records if "validation" in r]
    _draw_levels(axes, counted)
    steps, losses = [r["steps"] for r in lines], [r["loss"] for r in lines]
    axes.plot(steps, losses, color=GREY, linewidth=1.2, label="training, as it goes")
    if points:
        steps = [r["steps"] for r in points]
        held_out = [r["validation"]["loss"] for r in points]
        label = f"held out, {held_out[-1]:.3f} at the end"
        axes.plot(steps, held_out, color=BLUE, marker="o", markersize=4, label=label)
    plain_axes(axes, "updates", "nats per character")
    if lines or points:
        highest = max([*counted.values(), *(r["validation"]["loss"] for r in points)], default=4)
        lowest = min([*losses, *(r["validation"]["loss"] for r in points), *counted.values()])
        axes.set_ylim(max(0, lowest - 0.25), highest + 0.25)
        axes.legend(frameon=False, loc="upper center")
    bits = axes.secondary_yaxis(
        "right", functions=(lambda y: y / math.log(2), lambda y: y * math.log(2))
    )
    bits.set_ylabel("bits per character")
    return figure


def _draw_levels(axes: Any, counted: dict[int, float]) -> None:
    """A line for each counted model; of two that lie close, the lower has its name below."""
    above = math.inf
    for window, nats in sorted(counted.items(), key=lambda pair: -pair[1]):
        below = above - nats < 0.1
        above = nats
        axes.axhline(nats, color=ORANGE, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            window_name(window),
            (0.99, nats),
            xycoords=("axes fraction", "data"),
            xytext=(0, -2 if below else 2),
            textcoords="offset points",
            ha="right",
            va="top" if below else "bottom",
            fontsize=8,
            color="#9A6A00",
        )


def language_table(
    title: str,
    fitter: Fitter,
    task: LanguageTask,
    records: list[dict[str, Any]],
    counted: dict[int, float],
) -> Table:
    """Held-out nats and bits of the model, the last and the best, beside the counted ones."""
    points = [r for r in records if "validation" in r]
    rows = [(window_name(window), *_figures(nats)) for window, nats in counted.items()]
    if points:
        last = points[-1]
        name = f"{title}, {last['steps']:,} updates"
        rows.append((name, *_figures(last["validation"]["loss"])))
        best = min(points, key=lambda r: float(r["validation"]["loss"]))
        if best is not last:
            name = f"the best, {best['steps']:,} updates"
            rows.append((name, *_figures(best["validation"]["loss"])))
    if not len(task.validation):
        nats = nats_per_character(task.module, task.training, rows=1)
        rows.append((f"{title}, {fitter.updates:,} updates", *_figures(nats)))
    rates = [r["characters_per_second"] for r in records[-8:] if "characters_per_second" in r]
    mean = sum(rates) / max(len(rates), 1)
    speed = f", {mean:,.0f} characters/s in training" if rates else ""
    size = sum(p.numel() for p in task.module.parameters())
    words = "held-out characters" if len(task.validation) else "characters, nothing held out,"
    heading = (
        f"{len(measured_part(task)):,} {words} of {len(task.vocabulary)} kinds\n"
        f"{size:,} parameters, {fitter.seconds:.0f} s of training{speed}"
    )
    return table(heading, ("model", "nats per character", "bits per character"), rows)


def _figures(nats: float) -> tuple[str, str]:
    return f"{nats:.3f}", f"{nats / math.log(2):.3f}"
