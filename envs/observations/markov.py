"""Proofs that an observation tells all that decides the future, one for each kind of observation.

Each takes (levels, view, hit_ends). True is a guarantee. False says that on these levels something
that may matter is not shown: the move phase, headings, obstacles, what lies outside the window,
which of several levels it is (vectors do not show walls, planes not which obstacles a level has),
or how many obstacles stand in a cell (planes) where that matters.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sidestep.envs.rules.grid import Cell, Grid

from .view import View


def features_tell(levels: Sequence[Grid], view: View, hit_ends: bool) -> bool:
    """Tell whether `features` are Markov."""
    del hit_ends
    return len(levels) == 1 and _obstacles_are_told(levels, view, phase=not view.hide_phase)


def book_tells(levels: Sequence[Grid], view: View, hit_ends: bool) -> bool:
    """Tell whether `book`, which has no move phase, is Markov."""
    del hit_ends
    return len(levels) == 1 and _obstacles_are_told(levels, view, phase=False)


def planes_tell(levels: Sequence[Grid], view: View, hit_ends: bool) -> bool:
    """Tell whether `planes` are Markov."""
    if not _obstacles_are_told(levels, view, phase=not view.hide_phase):
        return False
    if view.hide_headings and any(_are_confused(level) for level in levels):
        return False
    if any(_can_pile_up(level, hit_ends) for level in levels):
        return False
    return not _look_alike(levels, view, hit_ends)


def window_tells(levels: Sequence[Grid], view: View, hit_ends: bool) -> bool:
    """Tell whether `window` is Markov: where it always shows the whole map."""
    longest = max(max(level.width, level.height) for level in levels)
    return view.radius >= longest - 1 and planes_tell(levels, view, hit_ends)


def _obstacles_are_told(levels: Sequence[Grid], view: View, phase: bool) -> bool:
    """Whether phase, places and headings of obstacles are told as far as they matter."""
    if any(level.obstacles for level in levels):
        if (view.period > 1 and not phase) or view.every > 1:
            return False
    return not (view.hide_headings and any(_turns(level) for level in levels))


def _turns(level: Grid) -> bool:
    """Whether a patrol's heading matters: on a track of three cells it has one with two ways."""
    tracks = [level.track(o) for o in level.obstacles if not o.is_wanderer]
    return any(t.right - t.left + t.bottom - t.top > 1 for t in tracks)


def _are_confused(level: Grid) -> bool:
    """Whether one plane for all obstacles leaves open which of them stands where."""
    patrols = sum(not obstacle.is_wanderer for obstacle in level.obstacles)
    return patrols > 0 and len(level.obstacles) > 1


def _can_pile_up(level: Grid, hit_ends: bool, many: int = 3) -> bool:
    """Whether `many` obstacles may share cell and plane in a way that matters later.

    Of two that share it, one is seen, so both are there; of three, it is not known which are
    together. Wanderers part again. Patrols of one cell and heading go on together: how many they
    are only matters where each counts as a hit.
    """
    matter = {crowd: size for crowd, size in _crowds(level).items() if crowd[0] or not hit_ends}
    return max(matter.values(), default=0) >= many


def _crowds(level: Grid) -> Counter[tuple[bool, Any]]:
    """Obstacles that can meet in one plane: wanderers (True) by room, patrols (False) by track."""
    crowds: Counter[tuple[bool, Any]] = Counter()
    for obstacle in level.obstacles:
        if obstacle.is_wanderer:
            crowds[True, min(level.reachable(Cell(obstacle.x, obstacle.y)))] += 1
        else:
            crowds[False, (level.track(obstacle), obstacle.heading[0] != 0)] += 1
    return crowds


def _look_alike(levels: Sequence[Grid], view: View, hit_ends: bool) -> bool:
    """Whether levels with the same walls and goal differ in obstacles that planes mix up.

    Two that share a cell are known to be two only where it is known how many each level has.
    """
    grounds = defaultdict(list)
    for level in levels:
        walls = tuple(level.is_wall(*cell) for cell, _ in level.cells())
        grounds[level.width, walls, level.goal].append(level)
    for alike in grounds.values():
        crowds = [_crowds(level) for level in alike]
        if all(own == crowds[0] for own in crowds):
            continue
        if any(_can_pile_up(level, hit_ends, many=2) for level in alike):
            return True
        if view.hide_headings and any(not wanders for own in crowds for wanders, _ in own):
            return True
    return False
