"""Pictures of a search: its history, which settings mattered, and a slice along each of them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from optuna.trial import FrozenTrial, TrialState

from sidestep.scripts.shared.colours import VERMILION
from sidestep.scripts.shared.curves import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    plain_axes,
    save_figure,
)

from .space import Parameter
from .study import Study

FEWEST = 4
"""Complete trials of which something can be said on what mattered."""
COLUMNS = 3
"""Slices beside each other; of four two, above the others."""
NARROWEST = 6.0
"""Inches that a title needs."""
WIDE = 8
"""Values of which the largest is so many times the smallest are of many sizes."""


def draw_search(study: Study, folder: Path) -> list[Path]:
    """Draw history.png, importance.png (from four complete trials on) and slices.png.

    Args:
        study: with at least one complete trial.
        folder: where the pictures go.

    Returns:
        Their paths.
    """
    figures = {
        "history.png": history(study),
        "importance.png": importance(study),
        "slices.png": slices(study),
    }
    paths = []
    for name, figure in figures.items():
        if figure is not None:
            save_figure(figure, folder / name)
            paths.append(folder / name)
    return paths


def _word(study: Study) -> str:
    """What the values are."""
    better = "return, higher is better" if study.optimum is None else "regret, lower is better"
    seeds = len(study.record["seeds"])
    return f"{better} (mean over {seeds} seeds)" if seeds > 1 else better


def _in(study: Study, state: TrialState) -> list[tuple[FrozenTrial, float]]:
    """The trials of a state, with their values."""
    found = [(t, t.value) for t in study.trials() if t.state == state]
    return [(trial, value) for trial, value in found if value is not None]


def history(study: Study) -> Figure:
    """Values over trials: complete ones, pruned ones where they ended, and the best so far."""
    figure = Figure(figsize=(7, 3.8), dpi=120, layout="constrained")
    axes = figure.subplots()
    complete, pruned = _in(study, TrialState.COMPLETE), _in(study, TrialState.PRUNED)
    for trials, colour, inside, label in (
        (pruned, GREY, "none", "pruned, where it ended"),
        (complete, BLUE, BLUE, "complete"),
    ):
        x, y = [t.number for t, _ in trials], [value for _, value in trials]
        axes.plot(x, y, "o", color=colour, markersize=5, markerfacecolor=inside, label=label)
    best = np.minimum if study.optimum is not None else np.maximum
    values = best.accumulate([value for _, value in complete]).tolist()
    x = [*(t.number for t, _ in complete), max(len(study.trials()) - 1, 0)]
    axes.step(x, [*values, values[-1]], where="post", color=ORANGE, label="best so far")
    failed = [t.number for t in study.trials() if t.state == TrialState.FAIL]
    if failed:
        foot = axes.get_xaxis_transform()  # on the axis: they have no value
        low = [0.0] * len(failed)
        axes.plot(failed, low, "x", color=VERMILION, transform=foot, clip_on=False, label="failed")
    plain_axes(axes, "trial", _word(study))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(_title(study), loc="left", fontsize=11, parse_math=False)
    _lay_values(axes, [value for _, value in [*pruned, *complete]], study)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _lay_values(axes: Any, values: list[float], study: Study) -> None:
    """An axis of values: regrets of many sizes in the logarithm, for the small ones count."""
    if study.optimum is None or min(values) <= 0 or max(values) < WIDE * min(values):
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def _title(study: Study) -> str:
    record = study.record
    return f"{record['learner']} on {record['env']['id']}, {len(study.trials())} trials"


def importance(study: Study) -> Figure | None:
    """How much of what makes good trials good each setting explains (PED-ANOVA); None: too few.

    Source: Watanabe et al. (2023), arXiv 2304.10255.
    """
    complete = _in(study, TrialState.COMPLETE)
    if len(complete) < FEWEST or len({value for _, value in complete}) < 2:
        return None
    found = optuna.importance.get_param_importances(study.study)
    names = sorted(found, key=lambda name: found[name])
    figure = Figure(figsize=(6, 0.9 + 0.42 * len(names)), dpi=120, layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(range(len(names)), [found[name] for name in names], color=BLUE, height=0.62)
    axes.bar_label(bars, [f"{found[name]:.0%}" for name in names], padding=3, fontsize=9)
    plain_axes(axes, f"share of what tells good trials apart ({len(complete)} complete ones)", "")
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_xlim(0, max(found.values()) * 1.12)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.grid(visible=False, axis="y")
    axes.set_title(_title(study), loc="left", fontsize=11, parse_math=False)
    return figure


def slices(study: Study) -> Figure:
    """Values over each parameter; later trials are darker, the best one is ringed."""
    parameters = study.space.parameters
    columns = 2 if len(parameters) == 4 else min(COLUMNS, len(parameters))
    rows = math.ceil(len(parameters) / columns)
    size = (max(3.1 * columns + 0.8, NARROWEST), 2.7 * rows + 0.6)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    figure.suptitle(_title(study), x=0.01, ha="left", fontsize=11, parse_math=False)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    best, values = study.best(), [value for _, value in _in(study, TrialState.COMPLETE)]
    for number, axes in enumerate(grid.flat):
        if number >= len(parameters):
            axes.set_visible(False)
            continue
        _slice(axes, study, parameters[number], best)
        _lay_values(axes, values, study)
        if number % columns == 0:
            axes.set_ylabel(_word(study).split(" (")[0])
    dots, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(dots, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _slice(axes: Any, study: Study, parameter: Parameter, best: FrozenTrial | None) -> None:
    """One parameter's points."""
    name, complete = parameter.name, _in(study, TrialState.COMPLETE)
    place = _places(parameter)
    last = max((t.number for t, _ in complete), default=0)
    axes.scatter(
        [place(t.params[name]) for t, _ in complete],
        [value for _, value in complete],
        c=[0.25 + 0.75 * t.number / max(last, 1) for t, _ in complete],
        cmap="Blues",
        vmin=0,
        vmax=1,
        s=26,
        edgecolors=BLUE,
        linewidths=0.5,
        label="complete trials, later ones darker",
    )
    if best is not None:
        axes.scatter([place(best.params[name])], [best.value], s=90, facecolors="none",
                     edgecolors=GREEN, linewidths=1.6, label="the best")  # fmt: skip
    plain_axes(axes, name, "")
    if parameter.kind == "choices":
        labels = [str(choice) for choice in parameter.choices]
        axes.set_xticks(range(len(labels)), labels, parse_math=False)
        axes.set_xlim(-0.5, len(labels) - 0.5)
    else:
        _lay_range(axes, parameter)


def _lay_range(axes: Any, parameter: Parameter) -> None:
    """An axis over all of a parameter's range."""
    low, high = parameter.low, parameter.high
    if not parameter.kind.startswith("log"):
        margin = 0.04 * (high - low)
        axes.set_xlim(low - margin, high + margin)
        if parameter.kind == "int":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return
    axes.set_xscale("log")
    axes.set_xlim(low / (high / low) ** 0.04, high * (high / low) ** 0.04)
    if parameter.kind == "log-int":  # powers of 2 are what such numbers mostly are
        axes.xaxis.set_major_locator(LogLocator(2))
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.xaxis.set_minor_locator(NullLocator())


def _places(parameter: Parameter) -> Any:
    """Where a stored value stands on the axis."""
    if parameter.kind != "choices":
        return float
    return parameter.labels.index
