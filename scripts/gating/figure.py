"""The picture of `sidestep gates`: gates, states and what was right, forced against unforced."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sidestep.scripts.gating.course import Course
from sidestep.scripts.shared.curves import BLUE, ORANGE, draw_title, plain_axes

GATES, STATES = "cividis", "RdBu_r"
"""Colours from shut, blue, to open, yellow; and from negative, blue, to positive, red."""
READ, DONE = 1, 2
"""Which of a step's labels is what was read or seen, and which what came of it."""
MOST_LABELS = 48
"""Steps whose labels stand below the picture one by one."""


def gates_figure(
    title: str,
    courses: dict[str, Course],
    words: dict[str, str],
    forced: dict[str, str],
    right: str,
    axis: int,
    start: int = 0,
) -> Figure:
    """Draw one or two courses side by side, a column each, and what was right below.

    Args:
        title: above all.
        courses: by name, the unforced one first.
        words: what each gate does, by its letter.
        forced: of each forced gate its letter and what it was set to, such as f: f=0.
        right: what the lowest picture shows.
        axis: which of a step's labels stands below the states, `READ` or `DONE`; the latter differ
            from course to course.
        start: the first step that was forced.
    """
    first = next(iter(courses.values()))
    rows = [*first.gates, *first.states]
    high = [1.0] * len(rows) + [1.6]
    figure = Figure(
        figsize=(5.6 * len(courses) + 1.2, 1.15 * sum(high) + 0.9), dpi=110, layout="constrained"
    )
    draw_title(figure, title)
    grid = figure.add_gridspec(len(high), len(courses), height_ratios=high)
    most = {
        name: max(1.0, *(float(np.abs(course.states[name]).max()) for course in courses.values()))
        for name in first.states
    }
    for column, (name, course) in enumerate(courses.items()):
        for row, part in enumerate(rows):
            axes = figure.add_subplot(grid[row, column])
            is_gate = part in course.gates
            table = (course.gates if is_gate else course.states)[part]
            low, top = (0.0, 1.0) if is_gate else (-most[part], most[part])
            image = axes.imshow(
                table.T,
                cmap=GATES if is_gate else STATES,
                vmin=low,
                vmax=top,
                aspect="auto",
                interpolation="nearest",
            )
            head = f"{part}: {words[part]}" if is_gate else f"state {part}"
            if column and part in forced:
                head += f"   forced, {forced[part]}"
            axes.set_title(f"{name}\n{head}" if row == 0 else head, fontsize=9, loc="left")
            axes.set_yticks([])
            _steps(axes, course, axis if row == len(rows) - 1 else None)
            if column and start:
                axes.axvline(start - 0.5, color=ORANGE, linewidth=2, linestyle=(0, (3, 2)))
            if column == len(courses) - 1:
                figure.colorbar(image, ax=axes, pad=0.01, aspect=8)
    axes = figure.add_subplot(grid[len(rows), :])
    _draw_right(axes, courses, right, axis)
    return figure


def _draw_right(axes: Any, courses: dict[str, Course], right: str, axis: int) -> None:
    """How right each step was, a line a course."""
    styles = ((BLUE, "o", "-"), (ORANGE, "s", "--"))
    for (name, course), (colour, marker, style) in zip(courses.items(), styles, strict=False):
        small = 4 if len(course) <= MOST_LABELS else 0
        axes.plot(
            course.right,
            color=colour,
            marker=marker,
            markersize=small,
            linestyle=style,
            label=name,
            linewidth=1.4,
        )
    longest = max(courses.values(), key=len)
    plain_axes(axes, "", right)
    axes.set_xlim(-0.5, len(longest) - 0.5)
    if all(np.nanmin(c.right) >= 0 and np.nanmax(c.right) <= 1 for c in courses.values()):
        axes.set_ylim(-0.05, 1.05)
    _steps(axes, longest, axis if axis == READ else 0)
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))


def _steps(axes: Any, course: Course, axis: int | None) -> None:
    """Label the steps, or none of them."""
    if axis is None:
        axes.set_xticks([])
    elif len(course) <= MOST_LABELS:
        axes.set_xticks(range(len(course)), [label[axis] for label in course.labels], fontsize=8)
    else:
        axes.tick_params(labelsize=8)
