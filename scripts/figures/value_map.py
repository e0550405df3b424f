"""A picture of an optimal policy: what each cell is worth, and where to go from it."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from sidestep.envs import Solution

STEPS = {0: (0, -1), 1: (0, 1), 2: (1, 0), 3: (-1, 0)}
"""Where the arrows of actions point; 4, stay, is a dot."""
WALL, INK, PAPER, OBSTACLE, GOAL = "#E4E4E8", "#141A2E", "#F5F7FC", "#D55E00", "#009E73"
MOST_NUMBERS = 150
"""Levels with more cells have no numbers in them."""


def value_map(solution: Solution, start: int, tick: int) -> Figure:
    """V and the policy over the level: which cell is worth what at one tick, and what to do there.

    Args:
        solution: what to show.
        start: row of `solution.starts`.
        tick: of the episode.

    Raises:
        IndexError: no such start or tick.
    """
    values, actions = solution.maps(start, tick)
    bodies, level = solution.obstacles(start, tick), solution.config.map
    values[level.goal.y, level.goal.x] = np.nan  # no episode goes on from there
    side = max(0.22, min(0.8, 9 / max(level.width, level.height)))
    size = (max(7.0, 2 * level.width * side + 2.2), max(2.6, level.height * side + 1.3))
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    left, right = figure.subplots(1, 2)
    image = _board(left, level, values)
    _board(right, level, values)
    bar = figure.colorbar(image, ax=[left, right], shrink=0.85, pad=0.02)
    bar.outline.set_visible(False)
    figures = "discounted return to come" if solution.discount < 1 else "return to come"
    left.set_title(f"V: {figures}", loc="left", fontsize=10)
    right.set_title("best action", loc="left", fontsize=10)
    _numbers(left, values, level.goal, side)
    _arrows(right, level, actions)
    for axes in (left, right):
        _bodies(axes, bodies, side)
    wait = int(solution.starts.places[start, -1] - tick) % solution.config.obstacle_period
    moving = "in this tick" if wait == 0 else f"in {wait} ticks" if wait > 1 else "in the next tick"
    head = f"start {start}, tick {tick}, discount {solution.discount:g}"
    words = f"{head}; obstacles move {moving}" if bodies else head
    figure.suptitle(words, x=0.01, ha="left", fontsize=11)
    return figure


def _board(axes: Any, level: Any, values: Any) -> Any:
    """Cells coloured by value, walls, a grid, start and goal."""
    image = axes.imshow(values, cmap="cividis", interpolation="nearest")
    axes.set_facecolor(WALL)
    axes.set_xticks(np.arange(-0.5, level.width), minor=True)
    axes.set_yticks(np.arange(-0.5, level.height), minor=True)
    axes.grid(which="minor", color=PAPER, linewidth=0.7)
    axes.tick_params(which="both", bottom=False, left=False, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    x, y = level.goal
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, color=GOAL, zorder=3))
    axes.text(x, y, "G", color=PAPER, ha="center", va="center", weight="bold", zorder=6)
    x, y = level.start
    dashed: dict[str, Any] = {
        "fill": False,
        "edgecolor": PAPER,
        "linestyle": (0, (2, 1.5)),
        "linewidth": 2,
    }
    axes.add_patch(Rectangle((x - 0.44, y - 0.44), 0.88, 0.88, zorder=3, **dashed))
    return image


def _numbers(axes: Any, values: Any, goal: Any, side: float) -> None:
    """The values, where there is room."""
    if values.size > MOST_NUMBERS:
        return
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (y, x), value in np.ndenumerate(values):
        if not np.isnan(value) and (x, y) != goal:
            colour = INK if value > middle else PAPER
            axes.text(
                x, y + 0.35, f"{value:.2f}", ha="center", va="center", color=colour,
                fontsize=9 * min(1.0, side / 0.6), zorder=5,
            )  # fmt: skip


def _arrows(axes: Any, level: Any, actions: Any) -> None:
    """An arrow a cell, a dot where the agent stays: of its own will or at a wall."""
    outline = [withStroke(linewidth=2.5, foreground=INK)]
    for (y, x), action in np.ndenumerate(actions):
        if action < 0 or (x, y) == level.goal:
            continue
        dx, dy = STEPS.get(int(action), (0, 0))
        if level.is_wall(x + dx, y + dy) or (dx, dy) == (0, 0):
            axes.plot(x, y, "o", color=PAPER, markersize=3.5, markeredgecolor=INK, zorder=5)
            continue
        arrow = axes.annotate(
            "", (x + 0.3 * dx, y + 0.3 * dy), (x - 0.3 * dx, y - 0.3 * dy),
            arrowprops={"arrowstyle": "-|>", "color": PAPER, "linewidth": 1.6}, zorder=5,
        )  # fmt: skip
        arrow.arrow_patch.set_path_effects(outline)


def _bodies(axes: Any, bodies: list[tuple[int, int, int, int]], side: float) -> None:
    """Obstacles: a disc, with a beak where the next move goes; wanderers are diamonds."""
    size = 72 * side
    for x, y, dx, dy in bodies:
        style = {"color": OBSTACLE, "markeredgecolor": INK, "zorder": 4}
        if (dx, dy) == (0, 0):
            axes.plot(x, y, "D", markersize=0.36 * size, **style)
            continue
        marker = {(1, 0): ">", (-1, 0): "<", (0, 1): "v", (0, -1): "^"}[dx, dy]
        axes.plot(x + 0.3 * dx, y + 0.3 * dy, marker, markersize=0.26 * size, **style)
        axes.plot(x, y, "o", markersize=0.46 * size, **style)
