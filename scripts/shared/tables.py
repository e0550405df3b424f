"""Tables: what training and evaluation end with, and any as Markdown."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.table import Table

from sidestep.agents.acting.evaluation import mean_interval
from sidestep.scripts.shared.console import table


def spread(values: Sequence[float], form: str) -> str:
    """The mean over runs and half its 95 % interval; of a single run its value alone.

    Args:
        values: one of each run.
        form: of the numbers, as in a format string.
    """
    mean, _, high = mean_interval(np.array(values, dtype=float))
    return f"{mean:{form}}" + ("" if math.isnan(high) else f" \u00b1 {high - mean:{form}}")


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every column after the first is right-aligned."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [columns, rule, *rows])


def evaluation_table(title: str, summary: dict[str, Any]) -> Table:
    """Figures of `Evaluation.summary`, with 95 % intervals.

    Args:
        title: above the table.
        summary: of one evaluation.
    """

    def share(value: list[float]) -> str:
        return f"{value[0]:.2%} [{value[1]:.2%}, {value[2]:.2%}]"

    def number(value: list[float]) -> str:
        if math.isnan(value[1]):  # a single episode
            return f"{value[0]:.4f}"
        return f"{value[0]:.4f} [{value[1]:.4f}, {value[2]:.4f}]"

    rows = []
    if "success" in summary:
        rows.append(["success", share(summary["success"])])
    if "collision" in summary:
        rows.append(["hits", share(summary["collision"])])
    late = "timeouts" if "success" in summary else "reached the time limit"  # which may be the aim
    rows.append([late, f"{summary['timeouts']:.2%}"])
    rows.append(["mean return", number(summary["return_mean"])])
    if "optimum" in summary:
        over = getattr(summary["optimum"], "over", "")
        note = f" ({over})" if over else ""
        rows.append(["optimum", f"{summary['optimum']:.4f}{note}"])
        rows.append(["regret", number(summary["regret"])])
    rows.append(["interquartile mean return", number(summary["return_iqm"])])
    rows.append(["standard deviation of the return", f"{summary['return_std']:.4f}"])
    rows.append(["mean length", f"{summary['length_mean']:.2f}"])
    return table(title, [f"{summary['episodes']:,} episodes", "value [95 % interval]"], rows)
