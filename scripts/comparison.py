"""Several runs beside each other: one table, and learning curves with bands over seeds."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from sidestep.agents import RunConfig
from sidestep.agents.evaluation import mean_interval
from sidestep.agents.log import read_log
from sidestep.scripts.console import table
from sidestep.scripts.curves import COLOURS, plain_axes

Evaluated = tuple[Path, RunConfig, dict[str, Any]]
"""A run's folder, its configuration, and the summary of its evaluation."""


class Curve(NamedTuple):
    """A figure over env steps, averaged over runs; (points,) each."""

    steps: np.ndarray[Any, Any]
    mean: np.ndarray[Any, Any]
    low: np.ndarray[Any, Any]
    high: np.ndarray[Any, Any]


def group_of(config: RunConfig) -> str:
    """Runs that differ in their seed only have the same name here."""
    memory = config.agent.network.memory
    name = config.learner if memory == "none" else f"{config.learner}, {memory}"
    return f"{name}, {config.env.id.split('/')[-1]}"


def comparison_table(runs: list[Evaluated]) -> Table:
    """A row a run, and for every group of several runs a row with the interval over them."""
    rows = [[str(folder), *_figures(summary)] for folder, _, summary in runs]
    groups: dict[str, list[dict[str, Any]]] = {}
    for _, config, summary in runs:
        groups.setdefault(group_of(config), []).append(summary)
    for name, members in groups.items():
        if len(members) > 1:
            rows.append([f"{name} ({len(members)})", *_over_runs(members)])
    columns = ["run", "success", "return", "regret", "IQM", "length"]
    title = "Means; of groups with half the 95 % interval over runs"
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
    def spread(values: list[float], form: str) -> str:
        mean, low, high = mean_interval(np.array(values))
        return f"{mean:{form}} \u00b1 {(high - low) / 2:{form}}"

    told = all("success" in member for member in members)
    solved = all("regret" in member for member in members)
    return [
        spread([m["success"][0] for m in members], ".1%") if told else "-",
        spread([m["return_mean"][0] for m in members], ".3f"),
        spread([m["regret"][0] for m in members], ".4f") if solved else "-",
        spread([m["return_iqm"][0] for m in members], ".3f"),
        spread([m["length_mean"] for m in members], ".2f"),
    ]


def comparison_figure(runs: list[Evaluated]) -> Figure:
    """Greedy return (and success) over env steps: mean over a group's runs with its 95 % band."""
    logs: dict[str, list[list[dict[str, Any]]]] = {}
    for folder, config, _ in runs:
        points = [r for r in read_log(folder) if "evaluation" in r]
        if points:
            logs.setdefault(group_of(config), []).append(points)
    panels = [("return_mean", "return of a greedy episode")]
    if logs and all(
        "success" in p["evaluation"] for ls in logs.values() for log in ls for p in log
    ):
        panels.append(("success", "share of greedy episodes at the goal"))
    figure = Figure(figsize=(4.8 * len(panels), 3.8), dpi=120, layout="constrained")
    figures = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (key, label) in zip(figures, panels, strict=True):
        for number, (name, group) in enumerate(logs.items()):
            colour = COLOURS[number % len(COLOURS)]
            curve = curve_of(group, key)
            axes.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.2, lw=0)
            axes.plot(curve.steps, curve.mean, color=colour, label=f"{name} ({len(group)})")
        plain_axes(axes, "env steps", label)
        axes.ticklabel_format(axis="x", style="sci", scilimits=(0, 0))
    if logs:
        figures[-1].legend(frameon=False, loc="lower right", fontsize=8)
    return figure


def curve_of(logs: list[list[dict[str, Any]]], key: str) -> Curve:
    """The mean over runs, read at the evaluations of the first, as far as all of them go.

    Args:
        logs: for each run its evaluation records, in order.
        key: of the figure in an evaluation's summary.
    """
    last = min(log[-1]["steps"] for log in logs)
    steps = np.array([p["steps"] for p in logs[0] if p["steps"] <= last] or [last])
    values = np.array(
        [
            np.interp(steps, [p["steps"] for p in log], [p["evaluation"][key][0] for p in log])
            for log in logs
        ]
    )  # (runs, points)
    mean = values.mean(0)
    error = np.zeros_like(mean)
    if len(values) > 1:
        error = 1.96 * values.std(0, ddof=1) / np.sqrt(len(values))
    return Curve(steps, mean, mean - error, mean + error)
