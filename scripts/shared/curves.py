"""Learning curves as pictures."""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from sidestep.scripts.shared.colours import BLUE as BLUE
from sidestep.scripts.shared.colours import COLOURS as COLOURS
from sidestep.scripts.shared.colours import GREEN as GREEN
from sidestep.scripts.shared.colours import GREY as GREY
from sidestep.scripts.shared.colours import ORANGE as ORANGE
from sidestep.scripts.shared.console import say
from sidestep.scripts.shared.fonts import fit_fonts, with_fallback
from sidestep.sequence.fitting.checkpoint import write_atomically

FORMATS = (".png", ".svg", ".pdf")
"""Endings of pictures; the latter two are lines and letters, sharp at every size."""


def check_picture(path: Path | None, flag: str) -> None:
    """Refuse the name of a picture that would be of no known format.

    Raises:
        ValueError: another ending than .png, .svg and .pdf.
    """
    if path is not None and path.suffix not in FORMATS:
        raise ValueError(f"{flag}: expected a .png, .svg or .pdf, got {path}")


def save_figure(figure: Figure, path: Path, source: str | None = None) -> None:
    """Write `figure`, completely or not at all; say which letters no font has.

    The path's ending decides: .svg, whose words stay words that can be searched and copied, .pdf,
    or else PNG. The same figure gives the same file.

    Args:
        figure: to be written.
        path: of the file.
        source: words that the file keeps on what it was drawn from.
    """
    remark = fit_fonts(figure)
    if remark:
        say(remark)
    write_atomically(path, _drawn(figure, path.suffix, source))


def _drawn(figure: Figure, suffix: str, source: str | None) -> bytes:
    """A figure as bytes of a format."""
    buffer = io.BytesIO()
    if suffix == ".svg":
        kept = {"Date": None} | ({} if source is None else {"Source": source})
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "sidestep"}):
            FigureCanvasSVG(figure).print_svg(buffer, metadata=kept)  # type: ignore[no-untyped-call]
        return with_fallback(buffer.getvalue().decode()).encode()
    if suffix == ".pdf":
        dates: dict[str, Any] = {"CreationDate": None, "ModDate": None}
        kept = dates if source is None else {**dates, "Subject": source}
        logging.getLogger("fontTools.subset").setLevel(logging.ERROR)  # it tells what it leaves out
        with rc_context({"pdf.fonttype": 42}):  # as letters, which can be searched
            FigureCanvasPdf(figure).print_pdf(buffer, metadata=kept)  # type: ignore[no-untyped-call]
        return buffer.getvalue()
    metadata = None if source is None else {"Source": source}
    FigureCanvasAgg(figure).print_png(buffer, metadata=metadata)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def plain_axes(axes: Any, x_label: str, y_label: str) -> None:
    """Labels as they are written, $ too; a light grid, and no box."""
    axes.set_xlabel(x_label, parse_math=False)
    axes.set_ylabel(y_label, parse_math=False)
    axes.grid(color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw_title(figure: Figure, title: str) -> None:
    """Write words above a figure, on the left; none where they are empty."""
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)


def draw_optimum(axes: Any, value: float, label: str = "optimum") -> None:
    """Draw a dashed line at the largest mean return that can be had."""
    axes.axhline(value, color=GREEN, linestyle=(0, (5, 3)), linewidth=1.2, label=label)
    low, high = axes.get_ylim()
    axes.set_ylim(low, max(high, value + 0.04 * (value - low)))


def draw_band(axes: Any, steps: Any, low: Any, high: Any, colour: str) -> None:
    """Fill from low to high over steps; over a single one stands a bar, as an area has no width."""
    if len(steps) == 1:
        axes.vlines(steps, low, high, color=colour, alpha=0.3, lw=5)
    else:
        axes.fill_between(steps, low, high, color=colour, alpha=0.2, lw=0)


def learning_curve(
    records: list[dict[str, Any]], title: str, optimum: float | None = None
) -> Figure:
    """Return and success over env steps: while exploring, and greedy with 95 % intervals.

    Args:
        records: the lines of metrics.jsonl.
        title: above the figure.
        optimum: the largest mean return that can be had; a dashed line, where it is known.
    """
    lines = [r for r in records if "return" in r]
    with_success = any("success" in r for r in lines)
    figure = Figure(figsize=(9 if with_success else 5.5, 3.6), dpi=120, layout="constrained")
    draw_title(figure, title)
    panels = [("return", "return_mean", "return of an episode")]
    if with_success:
        panels.append(("success", "success", "share of episodes at the goal"))
    for axes, (name, key, label) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        points = [r for r in records if "return_mean" in r.get("evaluation", {})]
        axes.plot(
            [r["steps"] for r in lines],
            [r.get(name, 0.0) for r in lines],  # some envs tell nothing but successes
            color=GREY,
            linewidth=1.2,
            label="exploring",
        )
        if points:
            steps = [r["steps"] for r in points]
            values = np.array([r["evaluation"].get(key, [0.0] * 3) for r in points], dtype=float)
            draw_band(axes, steps, values[:, 1], values[:, 2], BLUE)
            axes.plot(steps, values[:, 0], color=BLUE, marker="o", markersize=3, label="greedy")
        if name == "return" and optimum is not None:
            draw_optimum(axes, optimum)
        plain_axes(axes, "env steps", label)
        axes.ticklabel_format(axis="x", style="sci", scilimits=(0, 0))
        if name == "success":
            axes.set_ylim(-0.03, 1.03)
        axes.legend(frameon=False, loc="lower right")
    return figure
