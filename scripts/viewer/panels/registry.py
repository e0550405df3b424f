"""Every panel of a view: its key, its place, when there is something to show.

A panel draws beside the board (`draw`), on its floor below all figures (`under`), or above them
(`over`). Each has a file of its own.
"""

import difflib
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import pygame

from sidestep.envs.drawing.layout import Layout
from sidestep.scripts.viewer.panels import (
    attention,
    curve,
    gates,
    heatmap,
    regret,
    trail,
    units,
    values,
)
from sidestep.scripts.viewer.panels.moment import Moment
from sidestep.scripts.viewer.panels.pen import Pen

Draw = Callable[[pygame.Surface, Moment, Pen], None]
"""Fills a surface of its own."""
Overlay = Callable[[pygame.Surface, Layout, Moment, Pen], None]
"""Draws over the board."""


class Panel(NamedTuple):
    """One thing that can be shown."""

    name: str
    title: str
    applies: Callable[[Moment], bool]
    """Whether this learner and world have anything for it; the same in every tick of an episode."""
    weight: float = 0
    """Share of the height beside the board."""
    draw: Draw | None = None
    note: Callable[[Moment], str] | None = None
    """Words beside the title."""
    under: Overlay | None = None
    over: Overlay | None = None


def _beside(name: str, title: str, file: Any, weight: float, **overlays: Overlay) -> Panel:
    """A panel beside the board, by its file's `applies`, `draw` and `note`."""
    return Panel(name, title, file.applies, weight, file.draw, file.note, **overlays)


def _hides(moment: Moment) -> bool:
    return moment.sight is not None and not moment.sight.is_whole


PANELS = (
    _beside("values", "actions", values, 1.0, over=values.over),
    _beside("heatmap", "value of cells", heatmap, 0.2, under=heatmap.under),
    _beside("regret", "regret", regret, 0.5),
    _beside("units", "memory", units, 1.0),
    _beside("gates", "gates", gates, 1.0),
    _beside("attention", "attention", attention, 0.7, over=attention.over),
    Panel("trail", "trail", lambda moment: moment.scene is not None, under=trail.under),
    Panel("ghosts", "ghosts of what is hidden", _hides),
    _beside("curve", "learning", curve, 1.1),
)
"""In the order of their keys, 1 to 9."""

NAMES = tuple(panel.name for panel in PANELS)
BY_DEFAULT = ("values", "regret", "units", "attention", "trail", "ghosts")


def check_panels(names: Collection[str]) -> frozenset[str]:
    """The names as a set.

    Raises:
        ValueError: one that is none.
    """
    for name in names:
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ValueError(f"panels: expected some of {', '.join(NAMES)}, got {name!r}{hint}")
    return frozenset(names)


def switched(name: str, on: bool, moment: Moment, alone: bool) -> str:
    """Words on a panel that was turned on or off; `alone`: where one lane is looked into."""
    panel = next(panel for panel in PANELS if panel.name == name)
    if not panel.applies(moment):
        return f"{panel.title}: nothing to show here"
    state = "on" if on else "off"
    if not alone and name != "ghosts":
        state += ", in one lane alone: click one"
    return f"{panel.title}: {state}"
