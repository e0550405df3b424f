"""A solution for a notebook: its figures, and V with the best actions over the level."""

import html
import math
from typing import Any

import numpy as np

ARROWS = "\u2191\u2193\u2192\u2190\u00b7"
"""Of up, down, right, left and stay."""
STOPS = ((10, 30, 74), (64, 76, 108), (124, 123, 120), (186, 175, 106), (255, 233, 72))
"""From the lowest value to the highest; brighter is more, as in cividis."""
WALL, NOWHERE = "#5c688e", "#e4e4e8"
MOST_NUMBERS = 150
"""Levels with more cells have arrows alone; a value is shown where the mouse rests."""


def solution_html(solution: Any) -> str:
    """A table of figures, and a coloured table of the first start's first tick.

    Args:
        solution: a `Solution`.
    """
    level = solution.config.map
    length = solution.mean_length
    figures = {
        "value" if solution.discount < 1 else "return": f"{solution.mean_value:.4f}",
        "success": f"{solution.success:.2%}",
        "length": f"{length:.2f} ticks" if math.isfinite(length) else "may never end",
        "starts": f"{len(solution.values):,}",
    }
    if solution.discount < 1:
        figures = {"return": f"{solution.mean_return:.4f}", **figures}
    values, actions = solution.maps(0, 0)
    bodies = {(x, y) for x, y, _, _ in solution.obstacles(0, 0)}
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    small = level.width * level.height <= MOST_NUMBERS
    rows = []
    for y in range(level.height):
        cells = []
        for x in range(level.width):
            cell = (values[y, x], actions[y, x], level.rows[y][x] == "#", (x, y) in bodies)
            goal = (x, y) == (level.goal.x, level.goal.y)
            cells.append(_cell(*cell, goal, (low, high), small))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f"<th>{name}</th>" for name in figures)
    line = "".join(f"<td>{html.escape(figure)}</td>" for figure in figures.values())
    words = f"V and the best actions, start 0, tick 0, discount {solution.discount:g}"
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody><tr>{line}</tr></tbody></table>"
        f'<table style="border-spacing: 2px; border-collapse: separate">'
        f"<caption>{words}; \u25cf an obstacle, \u2691 the goal</caption>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _cell(
    value: float,
    action: int,
    wall: bool,
    body: bool,
    goal: bool,
    ends: tuple[float, float],
    small: bool,
) -> str:
    """One cell of the level."""
    if wall or not np.isfinite(value):
        return _square(WALL if wall else NOWHERE, "#ffffff", "", "a wall" if wall else "no way")
    if goal:
        return _square("#009e73", "#ffffff", "\u2691", "the goal")
    share = (value - ends[0]) / max(ends[1] - ends[0], 1e-12)
    at = share * (len(STOPS) - 1)
    stops = np.array(STOPS, dtype=np.float64)
    colour = [round(float(np.interp(at, range(len(stops)), stops[:, k]))) for k in range(3)]
    ink = "#111628" if share > 0.45 else "#ffffff"
    number = f'<br><span style="font-size: 75%">{value:.2f}</span>' if small else ""
    mark = "\u25cf " * body
    return _square(f"rgb{tuple(colour)}", ink, f"{mark}{ARROWS[action]}{number}", f"{value:.4f}")


def _square(colour: str, ink: str, words: str, title: str) -> str:
    return (
        f'<td title="{title}" style="background: {colour}; color: {ink}; text-align: center; '
        f'min-width: 2.4em; height: 2.4em; padding: 1px">{words}</td>'
    )
