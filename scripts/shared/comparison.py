"""Several runs beside each other: one table, and learning curves with bands over seeds."""

from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from sidestep.agents.acting.evaluation import half_interval
from sidestep.scripts.shared.colours import style_of
from sidestep.scripts.shared.console import table
from sidestep.scripts.shared.curves import draw_band, draw_optimum, plain_axes
from sidestep.scripts.shared.groups import Evaluated, groups_of
from sidestep.scripts.shared.tables import spread
from sidestep.sequence.fitting.log import read_log


class Curve(NamedTuple):
    """A figure over env steps, averaged over runs; (points,) each."""

    steps: np.ndarray[Any, Any]
    mean: np.ndarray[Any, Any]
    low: np.ndarray[Any, Any]
    high: np.ndarray[Any, Any]
    runs: np.ndarray[Any, Any]
    """(runs, points)."""


def comparison_table(runs: list[Evaluated], place: str = "") -> Table:
    """A row a run, and for every group of several runs a row with the interval over them.

    Args:
        runs: as they were evaluated.
        place: words on where, for the title.
    """
    rows = [[str(folder), *_figures(summary)] for folder, _, summary in runs]
    for name, members in groups_of(runs):
        if len(members) > 1:
            summaries = [summary for _, _, summary in members]
            rows.append([f"{name} ({len(members)})", *_over_runs(summaries)])
    columns = ["run", "success", "return", "regret", "IQM", "length"]
    title = f"Means{place}; of groups with half the 95 % interval over runs"
    over = dict.fromkeys(s["optimum_over"] for _, _, s in runs if "optimum_over" in s)
    if over:
        title += f"; regret: the optimum is over {' and '.join(over)}"
    return table(title, columns, rows)


def _figures(summary: dict[str, Any]) -> list[str]:
    success = f"{summary['success'][0]:.2%}" if "success" in summary else "-"
    regret = f"{summary['regret'][0]:.4f}" if "regret" in summary else "-"
    mean, middle = f"{summary['return_mean'][0]:.3f}", f"{summary['return_iqm'][0]:.3f}"
    return [success, mean, regret, middle, f"{summary['length_mean']:.2f}"]


def _over_runs(members: list[dict[str, Any]]) -> list[str]:
    told = any("success" in member for member in members)
    solved = all("regret" in member for member in members)
    success = [m["success"][0] if "success" in m else 0.0 for m in members]
    return [
        spread(success, ".1%") if told else "-",
        spread([m["return_mean"][0] for m in members], ".3f"),
        spread([m["regret"][0] for m in members], ".4f") if solved else "-",
        spread([m["return_iqm"][0] for m in members], ".3f"),
        spread([m["length_mean"] for m in members], ".2f"),
    ]


def comparison_figure(runs: list[Evaluated]) -> Figure:
    """Greedy return (and success) over env steps: mean over a group's runs with its 95 % band.

    Runs are thin lines. The axes hold them all; of few runs the band may reach beyond.
    """
    logs: dict[str, list[list[dict[str, Any]]]] = {}
    for name, members in groups_of(runs):
        for folder, _, _ in members:
            points = [r for r in read_log(folder) if "evaluation" in r]
            if points:
                logs.setdefault(name, []).append(points)
    panels = [("return_mean", "return of a greedy episode")]
    if logs and all(
        any("success" in p["evaluation"] for log in ls for p in log) for ls in logs.values()
    ):
        panels.append(("success", "share of greedy episodes at the goal"))
    figure = Figure(figsize=(4.8 * len(panels), 3.8), dpi=120, layout="constrained")
    figures = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (key, words) in zip(figures, panels, strict=True):
        bands = []
        for number, (name, group) in enumerate(logs.items()):
            style = style_of(number)
            colour = style["color"]
            curve = curve_of(group, key)
            label = fill(f"{name} ({len(group)})", 36)
            axes.plot(curve.steps, curve.mean, **style, label=label, zorder=3)
            if len(group) > 1:
                axes.plot(curve.steps, curve.runs.T, color=colour, linewidth=0.6, alpha=0.5)
            bands.append((curve.steps, curve.low, curve.high, colour))
        if key == "return_mean":
            _draw_optima(axes, runs)
        draw_bands(axes, bands)
        plain_axes(axes, "env steps", words)
        axes.ticklabel_format(axis="x", style="sci", scilimits=(0, 0))
    if logs:
        figures[-1].legend(frameon=False, loc="lower right", fontsize=8)
    return figure


def draw_bands(axes: Any, bands: list[tuple[Any, Any, Any, str]]) -> None:
    """Fill from low to high over steps, within the axes as they are."""
    axes.set_ylim(axes.get_ylim())
    for steps, low, high, colour in bands:
        draw_band(axes, steps, low, high, colour)


def _draw_optima(axes: Any, runs: list[Evaluated]) -> None:
    """Draw a line for each world whose optimum is known; one of them is in the legend."""
    known = {float(s["optimum"]) for _, _, s in runs if s.get("optimum") is not None}
    for number, value in enumerate(sorted(known)):
        draw_optimum(axes, value, "_" * (number > 0) + "optimum")


def curve_of(logs: list[list[dict[str, Any]]], key: str) -> Curve:
    """The mean over runs, read at the evaluations of the first, and where the first of them ends.

    Args:
        logs: for each run its evaluation records, in order.
        key: of the figure in an evaluation's summary; 0 where one lacks it (an env that tells
            nothing but successes).

    Returns:
        The curve, its band by Student's t; of a single run low and high are its own values.
    """
    last = min(log[-1]["steps"] for log in logs)
    own = [p["steps"] for p in logs[0] if p["steps"] < last]
    steps = np.array([*own, last])

    def figures(log: list[dict[str, Any]]) -> list[float]:
        return [p["evaluation"].get(key, [0.0])[0] for p in log]

    values = np.array(
        [np.interp(steps, [p["steps"] for p in log], figures(log)) for log in logs]
    )  # (runs, points)
    mean = values.mean(0)
    half = half_interval(values) if len(values) > 1 else np.zeros_like(mean)
    return Curve(steps, mean, mean - half, mean + half, values)
