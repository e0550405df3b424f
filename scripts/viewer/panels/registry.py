"""Every panel of a view, a row each: its key, its place, what it needs, when it has something.

A panel draws beside the board (`draw`), on its floor below all figures (`under`), or above them
(`over`). Each has a file of its own.
"""

import difflib
import keyword
import math
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
from sidestep.scripts.viewer.panels.moment import WINDOW, Moment
from sidestep.scripts.viewer.panels.pen import Pen

Draw = Callable[[pygame.Surface, Moment, Pen], None]
"""Fills a surface of its own."""
Overlay = Callable[[pygame.Surface, Layout, Moment, Pen], None]
"""Draws over the board."""


class Panel(NamedTuple):
    """A row: one thing that can be shown, and what it needs to be known of a moment."""

    name: str
    """What `--panels` calls it, an identifier."""
    title: str
    applies: Callable[[Moment], bool]
    """Whether this learner and world have anything for it; the same in every tick of an episode."""
    weight: float = 0
    """Share of the height beside the board, of what is drawn there."""
    draw: Draw | None = None
    note: Callable[[Moment], str] | None = None
    """Words beside the title."""
    under: Overlay | None = None
    over: Overlay | None = None
    ticks: int = 0
    """Of how many last ticks it needs the insights."""
    regrets: bool = False
    """Whether it needs the moment's regrets and exact values, which are solved for."""
    cells: bool = False
    """Whether it needs what each cell would be worth."""
    in_all_lanes: bool = False
    """Whether it is also seen where several lanes are side by side."""
    by_default: bool = False
    key: str = ""
    """A digit from 1 to 9 or a letter that no command has; empty: the next one that is free."""
    ghosts: bool = False
    """Whether what the agent is not shown stands on the board as ghosts, instead of not at all."""


def _beside(name: str, title: str, file: Any, weight: float, **others: Any) -> Panel:
    """A panel beside the board, by its file's `applies`, `draw` and `note`."""
    return Panel(name, title, file.applies, weight, file.draw, file.note, **others)


def _hides(moment: Moment) -> bool:
    return moment.sight is not None and not moment.sight.is_whole


def _has_scene(moment: Moment) -> bool:
    return moment.scene is not None


KEYS = tuple("123456789bcdegijklmoptuvwxyz")
"""Of panels, in the order in which they are given; other letters are commands."""

PANELS = [
    panel._replace(key=key)
    for key, panel in zip(
        KEYS,
        (
            _beside("values", "actions", values, 1.0, over=values.over, ticks=1, regrets=True,
                    by_default=True),
            _beside("heatmap", "value of cells", heatmap, 0.2, under=heatmap.under, cells=True),
            _beside("regret", "regret", regret, 0.5, regrets=True, by_default=True),
            _beside("units", "memory", units, 1.0, ticks=WINDOW, by_default=True),
            _beside("gates", "gates", gates, 1.0, ticks=WINDOW),
            _beside("attention", "attention", attention, 0.7, over=attention.over, ticks=1,
                    by_default=True),
            Panel("trail", "trail", _has_scene, under=trail.under, by_default=True),
            Panel("ghosts", "ghosts of what is hidden", _hides, in_all_lanes=True,
                  by_default=True, ghosts=True),
            _beside("curve", "learning", curve, 1.1),
        ),
        strict=False,
    )
]  # fmt: skip
"""Every panel, in the order in which they are drawn; `register_panel` adds to it."""


def names(by_default: bool = False) -> tuple[str, ...]:
    """The names of all panels that there are now, or of those that are on at first."""
    return tuple(p.name for p in PANELS if p.by_default or not by_default)


NAMES, BY_DEFAULT = names(), names(by_default=True)
"""Those of the shipped panels."""


def key_words() -> str:
    """The panels with their keys, for a command's help."""
    return ", ".join(f"{panel.name} {panel.key.upper()}" for panel in PANELS)


def register_panel(panel: Panel) -> None:
    """Add a panel; from then on it has a key, and `--panels` knows its name.

    Args:
        panel: its row; of one without a key the next free one is taken.

    Raises:
        TypeError, ValueError: a name or key that is taken or cannot be one, or a row that draws
            nothing; nothing is added. The same row again is no error.
    """
    if not isinstance(panel, Panel):
        raise TypeError(f"panel: expected a row, Panel, got {type(panel).__name__}")
    if any(known._replace(key=panel.key) == panel for known in PANELS):
        return
    _check_panel(panel)
    free = [key for key in KEYS if all(known.key != key for known in PANELS)]
    if panel.key and panel.key not in free:
        expected = ", ".join(free)
        raise ValueError(
            f"panel {panel.name!r}: expected a free key ({expected}), got {panel.key!r}"
        )
    if not free:
        raise ValueError(f"panel {panel.name!r}: expected a free key, all {len(KEYS)} are taken")
    PANELS.append(panel._replace(key=panel.key or free[0]))


def _check_panel(panel: Panel) -> None:
    """Raise TypeError or ValueError for a row that could not be shown."""
    name = panel.name
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"panel name: expected an identifier such as compass, got {name!r}")
    if name in names():
        raise ValueError(f"panel name: expected one that is free, got {name!r}, which is taken")
    if not isinstance(panel.title, str) or not panel.title.strip():
        raise ValueError(f"panel {name!r}: expected a title in words, got {panel.title!r}")
    for field in ("applies", "draw", "note", "under", "over"):
        value = getattr(panel, field)
        if not callable(value) and (value is not None or field == "applies"):
            raise TypeError(f"panel {name!r}: expected {field} to be callable, got {value!r}")
    drawn = (panel.draw, panel.under, panel.over)
    if drawn == (None, None, None) and not panel.ghosts:
        raise ValueError(f"panel {name!r}: expected draw, under or over, got none of them")
    if not isinstance(panel.weight, int | float) or (panel.draw is None) != (panel.weight == 0):
        raise ValueError(
            f"panel {name!r}: expected a weight above 0 beside draw, and 0 without, "
            f"got {panel.weight!r}"
        )
    if not 0 <= panel.weight < math.inf:
        raise ValueError(f"panel {name!r}: expected a weight above 0, got {panel.weight!r}")
    if not isinstance(panel.ticks, int) or not 0 <= panel.ticks <= WINDOW:
        raise ValueError(f"panel {name!r}: expected ticks from 0 to {WINDOW}, got {panel.ticks!r}")


def check_panels(chosen: Collection[str]) -> frozenset[str]:
    """The names as a set.

    Raises:
        ValueError: one that is none.
    """
    known = names()
    for name in chosen:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ValueError(f"panels: expected some of {', '.join(known)}, got {name!r}{hint}")
    return frozenset(chosen)


def switched(name: str, on: bool, moment: Moment, alone: bool) -> str:
    """Words on a panel that was turned on or off; `alone`: where one lane is looked into."""
    panel = next(panel for panel in PANELS if panel.name == name)
    if not panel.applies(moment):
        return f"{panel.title}: nothing to show here"
    state = "on" if on else "off"
    if not alone and not panel.in_all_lanes:
        state += ", in one lane alone: click one"
    return f"{panel.title}: {state}"
