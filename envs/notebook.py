"""Pictures in notebooks of what has no method of its own for it: wrapped envs, and levels.

`gym.make` gives an env inside wrappers, which pass on no private name, and a level knows nothing of
drawing. IPython takes pictures for other people's classes from a table; this fills it, where
IPython runs. Envs themselves and solutions have a method, for other notebooks too.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .levels.level import Level
from .rules.grid import Cell
from .world import Scene


def wrapped_png(env: Any) -> bytes | None:
    """The picture of the env inside of wrappers; None where it has none, and text is shown."""
    with suppress(Exception):
        picture: bytes | None = env.unwrapped._repr_png_()
        return picture
    return None


def level_png(level: Level) -> bytes | None:
    """A level as an episode begins in it, but for random starts; None where it cannot be drawn."""
    with suppress(Exception):
        from .drawing import board
        from .drawing.png import png

        return png(board.tiled([scene_of(level)]))
    return None


def scene_of(level: Level) -> Scene:
    """A level with everything where its map has it."""
    obstacles = tuple((o.x, o.y, *o.heading) for o in level.obstacles)
    before = (level.start, *(Cell(x, y) for x, y, _, _ in obstacles))
    return Scene(level, level.start, obstacles, 0, None, 0, False, False, before)


PICTURES: dict[tuple[str, str], Callable[[Any], bytes | None]] = {
    ("gymnasium.core", "Wrapper"): wrapped_png,
    ("gymnasium.vector.vector_env", "VectorWrapper"): wrapped_png,
    ("sidestep.envs.levels.level", "Level"): level_png,
}
"""Module and name of each class, and what gives its picture; children of a class too."""


def register() -> None:
    """Tell IPython of `PICTURES`; nothing where it does not run."""
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if ask is None else ask()
    formatter = getattr(shell, "display_formatter", None)
    if formatter is None:
        return
    for (module, name), picture in PICTURES.items():
        formatter.formatters["image/png"].for_type_by_name(module, name, picture)
