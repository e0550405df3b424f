"""The learning curve of a study: the mean over seeds with its band, and every seed."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from sidestep.scripts.shared.comparison import curve_of, draw_bands
from sidestep.scripts.shared.curves import BLUE, draw_optimum, draw_title, plain_axes
from sidestep.scripts.shared.groups import Evaluated
from sidestep.sequence.fitting.log import read_log

Points = list[dict[str, Any]]
EXPLORING = {"return": "return_mean", "success": "success"}
"""Figures of a log's line on episodes of training, and their names in an evaluation."""


def seeds_figure(runs: list[Evaluated]) -> Figure:
    """Return (and success) over env steps, greedy, or while exploring where nothing was evaluated.

    Args:
        runs: equal but for their seed; their logs are read.
    """
    logs, how = points_of([read_log(folder) for folder, _, _ in runs])
    panels = [("return_mean", f"return of {how} episode")]
    if any("success" in point["evaluation"] for log in logs for point in log):
        panels.append(("success", f"share at the goal of {how.split()[-1]} episodes"))
    _, config, summary = runs[0]
    figure = Figure(figsize=(4.8 * len(panels), 3.8), dpi=120, layout="constrained")
    count = f"{len(runs)} seeds" if len(runs) > 1 else f"seed {config.training.seed}"
    draw_title(figure, f"{config.learner} on {config.env.in_words()}, {count}")
    for axes, (key, words) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        if logs:
            _draw(axes, logs, key)
        if key == "return_mean" and "optimum" in summary:
            draw_optimum(axes, float(summary["optimum"]))
        if key == "success":
            axes.set_ylim(-0.03, 1.03)
        plain_axes(axes, "env steps", words)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        if axes.lines:
            axes.legend(frameon=False, loc="lower right", fontsize=8)
    return figure


def points_of(logs: list[Points]) -> tuple[list[Points], str]:
    """The evaluations of each run, or if none has any what its episodes of training came to.

    Args:
        logs: the lines of each run's metrics.jsonl.

    Returns:
        For every run that has one its points, as `curve_of` reads them; and whose they are.
    """
    greedy = [[line for line in log if "evaluation" in line] for log in logs]
    if any(greedy):
        return [points for points in greedy if points], "a greedy"
    played = [
        [
            {
                "steps": line["steps"],
                "evaluation": {to: [line[of]] for of, to in EXPLORING.items() if of in line},
            }
            for line in log
            if "return" in line
        ]
        for log in logs
    ]
    return [points for points in played if points], "an exploring"


def _draw(axes: Any, logs: list[Points], key: str) -> None:
    """Draw every run, their mean and its band."""
    curve = curve_of(logs, key)
    several = len(logs) > 1
    label = f"mean of {len(logs)} seeds, 95 % band" if several else "this seed"
    axes.plot(curve.steps, curve.mean, color=BLUE, marker="o", markersize=3, label=label, zorder=3)
    if several:
        dots = {"marker": "_", "markersize": 9} if len(curve.steps) == 1 else {}
        lines = axes.plot(curve.steps, curve.runs.T, color=BLUE, linewidth=0.7, alpha=0.5, **dots)
        lines[0].set_label("each seed")
    draw_bands(axes, [(curve.steps, curve.low, curve.high, BLUE)])
