"""Attention as pictures and in the terminal, and the curve of a translator's training."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rich.cells import cell_len
from rich.text import Text
from torch import Tensor

from sidestep.scripts.sequences.hangul import labels_for
from sidestep.scripts.shared.curves import BLUE, GREY, ORANGE, plain_axes
from sidestep.sequence.tasks.pairs import bare

END_LABEL = "end"


class Look(NamedTuple):
    """One translation with its attention.

    Attributes:
        source: tokens.
        target: tokens that were written.
        weights: (S, T), rows for the tokens and END, if written; columns for the source and END.
        alignment: (source, target) places that belong together, where known.
    """

    source: Sequence[str]
    target: Sequence[str]
    weights: Tensor
    alignment: Sequence[tuple[int, int]] = ()


def visible(tokens: Sequence[str], places: int) -> list[str]:
    """Labels of so many places: tokens with spaces to be seen, then END."""
    labels = [bare(token).replace(" ", "\u2423") for token in tokens]
    return [*labels, END_LABEL][:places]


def attention_figure(looks: Sequence[Look], title: str) -> Figure:
    """Heat maps side by side: a row for each symbol written, a column for each symbol read.

    Orange frames are the true alignment, where it is known.

    Args:
        looks: what to draw.
        title: above the figure.
    """
    rows, columns = (max(look.weights.shape[axis] for look in looks) for axis in (0, 1))
    widest = max(cell_len(label) for look in looks for label in look.source)
    cell = 0.34 if widest > 1 else 0.24
    width = len(looks) * (columns * cell + 1.5) + 0.7
    height = rows * (0.3 if widest > 1 else 0.24) + (1.7 if widest > 1 else 1.1)
    figure = Figure(figsize=(max(width, 5.0), max(height, 2.6)), dpi=120, layout="constrained")
    remarks, image = set(), None
    for axes, look in zip(figure.subplots(1, len(looks), squeeze=False)[0], looks, strict=True):
        image, remark = _heat_map(axes, look, turned=widest > 1)
        remarks.add(remark)
    if image is not None:
        bar = figure.colorbar(image, ax=figure.axes, shrink=0.6, pad=0.02, aspect=24)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)
        bar.set_label("attention weight", fontsize=8)
    framed = any(look.alignment for look in looks)
    words = [title, *(["orange: true alignment"] if framed else []), *filter(None, remarks)]
    figure.suptitle("; ".join(words), x=0.01, ha="left", fontsize=10)
    return figure


def _heat_map(axes: Any, look: Look, turned: bool) -> tuple[Any, str]:
    """One of them; returns the image and the remark on labels."""
    rows, columns = look.weights.shape
    image = axes.imshow(look.weights.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    source, source_font, remark = labels_for(visible(look.source, columns))
    target, target_font, other = labels_for(visible(look.target, rows))
    axes.set_xticks(range(columns), source, fontsize=9, rotation=55 if turned else 0, **source_font)
    if turned:
        for label in axes.get_xticklabels():
            label.set(ha="left", rotation_mode="anchor")
    axes.set_yticks(range(rows), target, fontsize=9, **target_font)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for s, t in look.alignment:
        if s < columns and t < rows:
            axes.add_patch(
                Rectangle((s - 0.5, t - 0.5), 1, 1, fill=False, edgecolor=ORANGE, linewidth=1.4)
            )
    return image, remark or other


def attention_text(look: Look, width: int) -> Text:
    """The same for a terminal, without END: blocks from light to full; wide sources go on below.

    Args:
        look: what to show.
        width: of the terminal, in columns.
    """
    rows, columns = len(look.target), len(look.source)
    source, target = visible(look.source, columns), visible(look.target, rows)
    if not target:
        return Text("Nothing was written.")
    widths = [cell_len(label) for label in source]
    gap = 1 if max(widths) > 1 else 0
    margin = max(map(cell_len, target)) + 2
    text, start = Text(), 0
    while start < columns:
        end, used = start, margin
        while end < columns and (end == start or used + widths[end] + gap <= width):
            used += widths[end] + gap
            end += 1
        text.append(" " * margin)
        for label in source[start:end]:
            text.append(label + " " * gap, style="bold")
        text.append("\n")
        for label, row in zip(target, look.weights[:rows].tolist(), strict=True):
            text.append(" " * (margin - 2 - cell_len(label)) + label + "  ", style="bold")
            for weight, cells in zip(row[start:end], widths[start:end], strict=True):
                text.append(_block(weight) * cells, style="blue")
                text.append(" " * gap)
            text.append("\n")
        start = end
    return text


def _block(weight: float) -> str:
    """Five shades; nothing below 5 %."""
    return " " if weight < 0.05 else "░▒▓█"[min(int(weight * 4), 3)]


def translation_curve(records: list[dict[str, Any]], title: str) -> Figure:
    """Loss in nats per symbol, and the share written exactly, over updates.

    Args:
        records: the lines of metrics.jsonl.
        title: above the figure.
    """
    lines = [r for r in records if "loss" in r]
    points = [r for r in records if "exact" in r.get("validation", {})]
    figure = Figure(figsize=(9, 3.4), dpi=120, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    left, right = figure.subplots(1, 2)
    left.plot([r["steps"] for r in lines], [r["loss"] for r in lines], color=GREY, linewidth=1.2,
              label="training")  # fmt: skip
    steps = [r["steps"] for r in points]
    for axes, name, label in ((left, "loss", "validation"), (right, "exact", None)):
        values = [r["validation"][name] for r in points]
        axes.plot(steps, values, color=BLUE, marker="o", markersize=3, label=label)
    plain_axes(left, "updates", "nats per symbol")
    left.set_yscale("log")
    left.legend(frameon=False)
    plain_axes(right, "updates", "share written exactly, validation")
    right.set_ylim(-0.03, 1.03)
    return figure
