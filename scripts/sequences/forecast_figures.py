"""The picture of a forecast: the test part one step ahead, one forecast from afar, the errors."""

from typing import Any

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from sidestep.scripts.sequences.forecast_task import ForecastTask
from sidestep.scripts.shared.curves import BLUE, GREEN, GREY, ORANGE, plain_axes

COLOURS, DASHES, MARKERS = (GREY, ORANGE, BLUE), ((0, (2, 1.5)), (0, (6, 2)), "solid"), "Dso"
"""Of each model, in the order of the table; the last is drawn over the others."""


def forecast_figure(task: ForecastTask, measured: dict[str, dict[str, Any]], title: str) -> Figure:
    """The series above, three panels below.

    Args:
        task: fitted.
        measured: from `measure`.
        title: above the figure.
    """
    figure = Figure(figsize=(11, 7.2), dpi=120, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, parse_math=False)
    parts: Any = figure.subfigures(2, 1)
    top, bottom = parts
    _draw_series(top.subplots(), task)
    left, middle, right = bottom.subplots(1, 3)
    _draw_ahead(left, task, task.split.validation, "from the test part's beginning")
    _draw_ahead(middle, task, len(task.series.values), "beyond the end of the data")
    _draw_errors(right, measured)
    return figure


def _draw_series(axes: Any, task: ForecastTask) -> None:
    """The whole series, its parts, and one-step forecasts over the test part."""
    times, values, split = task.series.times(), task.series.values, task.split
    axes.plot(times, values, color="#222222", linewidth=1, label="measured")
    model = task.models()[f"latent {task.config.cell.upper()}"]
    origins = split.origins(1)
    forecast = task.foresee(model, origins, 1)
    where = times[origins]
    axes.fill_between(where, forecast.low[:, 0], forecast.high[:, 0], color=BLUE, alpha=0.22, lw=0,
                      label="90 % interval")  # fmt: skip
    axes.plot(where, forecast.mean[:, 0], color=BLUE, linewidth=1.2,
              label="latent model, one step ahead")  # fmt: skip
    for place, word in (
        (split.training, "validation"),
        (split.validation, "test: nothing was fitted or chosen here"),
    ):
        axes.axvline(times[place], color=GREEN, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(word, (times[place], 1), xycoords=("data", "axes fraction"), fontsize=8,
                      xytext=(4, -9), textcoords="offset points", color=GREEN)  # fmt: skip
    _name_axes(axes, task)
    axes.margins(x=0.01)
    axes.set_ylim(top=axes.get_ylim()[1] * 1.12)
    axes.legend(frameon=False, loc="upper left", ncols=3, fontsize=9)


def _draw_ahead(axes: Any, task: ForecastTask, origin: int, title: str) -> None:
    """What all models foresee from one origin, with the latent model's interval."""
    times, values, steps = task.series.times(), task.series.values, task.config.horizon
    pace = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    ahead = np.append(times[origin : origin + steps], [])
    if len(ahead) < steps:
        ahead = times[-1] + pace * np.arange(1, steps + 1)
    begin = max(0, origin - 2 * steps)
    shown = slice(begin, min(origin + steps, len(values)))
    axes.plot(times[shown], values[shown], color="#222222", linewidth=1, marker="o", markersize=2.5,
              label="measured")  # fmt: skip
    looks = zip(task.models().items(), COLOURS, DASHES, strict=True)
    for (name, model), colour, dashes in looks:
        forecast = task.foresee(model, [origin], steps)
        if name.startswith("latent"):
            axes.fill_between(ahead, forecast.low[0], forecast.high[0], color=colour, alpha=0.18,
                              lw=0, label="90 % interval")  # fmt: skip
        axes.plot(ahead, forecast.mean[0], color=colour, linestyle=dashes, linewidth=1.4,
                  label=name)  # fmt: skip
    axes.axvline(times[origin - 1], color=GREEN, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_title(title, fontsize=10, loc="left")
    _name_axes(axes, task)
    axes.legend(frameon=False, fontsize=7.5, loc="upper left")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.5 * (high - low))


def _name_axes(axes: Any, task: ForecastTask) -> None:
    """Time below, as days where it is days; the values' name at the left."""
    plain_axes(axes, task.series.time_name(), task.series.name)
    if task.series.dated():
        places: Any = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(places)
        words: Any = ConciseDateFormatter(places)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(words)


def _draw_errors(axes: Any, measured: dict[str, dict[str, Any]]) -> None:
    """Root mean squared error at each distance."""
    for (name, row), colour, mark in zip(measured.items(), COLOURS, MARKERS, strict=True):
        steps = range(1, len(row["rmse_ahead"]) + 1)
        axes.plot(steps, row["rmse_ahead"], color=colour, marker=mark, markersize=4, label=name)
    axes.set_title("error over all of the test part", fontsize=10, loc="left")
    plain_axes(axes, "steps ahead", "root mean squared error")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=7.5)
