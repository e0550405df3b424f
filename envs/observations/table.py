"""What the agent is shown: the observations by name, a row each, and the way to add one.

A row carries all that is asked of an observation: its Box, what writes it, whether it can leave
something out, whether it tells enough, and what of it a picture of the agent's view may show.
"""

import keyword
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sidestep.envs.rules.grid import Grid

from .features import (
    book,
    book_space,
    features,
    features_of_one,
    features_space,
    glimpses,
    no_ground,
)
from .lanes import Function, FunctionKernel
from .markov import book_tells, features_tell, planes_tell, window_tells
from .planes import beacon, planes, planes_ground, planes_space, window, window_ground, window_space
from .view import View


class Shown(NamedTuple):
    """What of the world an observation tells where nothing is hidden; pictures veil the rest."""

    obstacles: bool = True
    headings: bool = True
    phase: bool = True
    """The ticks until obstacles move."""
    near: bool = False
    """Only what lies within `radius` cells of the agent."""


class Observation(NamedTuple):
    """A row: an observation's Box, what writes it, and what is known of it.

    What writes it is one `function` of numpy arrays, or kernels: `plain`, `partial` or both.
    """

    space: Callable[[Sequence[Grid], View], spaces.Box]
    """The Box on some levels."""
    plain: Callable[..., None] | None = None
    """Kernel of (state, level_of, sites, rules, out), where nothing is hidden."""
    partial: Callable[..., None] | None = None
    """Kernel of (state, clock, level_of, sites, ground, rules, view, out)."""
    ground: Callable[[Sequence[Grid], View], NDArray[np.uint8]] = no_ground
    """What of it never moves, made once; for the partial kernel."""
    proof: Callable[[Sequence[Grid], View, bool], bool] | None = None
    """Of (levels, view, hit_ends): whether it tells all that decides the future; None: unknown."""
    function: Function | None = None
    """Of `Lanes`, instead of kernels."""
    hides: bool = False
    """Whether the function heeds `lanes.view`, so that `hide` and `visible_every` may be asked."""
    shows: Shown = Shown()
    """What of the world it tells."""
    of_one: Callable[..., None] | None = None
    """Kernel like `plain`, taken and compiled instead of it in a world of one level."""

    @property
    def can_hide(self) -> bool:
        """Whether `hide` and `visible_every` may be asked of it."""
        return self.partial is not None or self.hides

    def whole(self, levels: Sequence[Grid]) -> Callable[..., None] | None:
        """What writes it where nothing is hidden, of the arguments of `plain`; None: `writer`."""
        return self.of_one if self.of_one is not None and len(levels) == 1 else self.plain

    def writer(self, name: str, levels: Sequence[Grid], view: View) -> Callable[..., None]:
        """What writes the observation in one world; of the arguments of `partial`.

        Args:
            name: of this row, for errors.
            levels: of the world.
            view: of the world.
        """
        if self.function is not None:
            return FunctionKernel(self.function, name, tuple(levels), view)
        assert self.partial is not None
        return self.partial


OBSERVATIONS = {
    "features": Observation(
        features_space, features, glimpses, no_ground, features_tell, of_one=features_of_one
    ),
    "planes": Observation(planes_space, None, planes, planes_ground, planes_tell),
    "window": Observation(
        window_space, None, window, window_ground, window_tells, shows=Shown(near=True)
    ),
    "beacon": Observation(
        window_space, None, beacon, window_ground, window_tells, shows=Shown(near=True)
    ),
    "book": Observation(book_space, book, None, no_ground, book_tells, shows=Shown(phase=False)),
}
"""Every value of the keyword `observation`; `register_observation` adds to it."""


def register_observation(name: str, observation: Observation) -> None:
    """Add an observation; from then on `observation=name` is one like the shipped ones.

    Args:
        name: the value of the keyword, an identifier that is not taken.
        observation: its row.

    Raises:
        TypeError, ValueError: no identifier, a name that is taken by another row, or a row that
            lacks what writes it; nothing is added. The same row again is no error.
    """
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"observation name: expected an identifier such as compass, got {name!r}")
    given: object = observation
    if not isinstance(given, Observation):
        kind = type(given).__name__
        raise TypeError(
            f"observation {name!r}: expected a row, sidestep.envs.Observation, got {kind}"
        )
    _check_row(name, observation)
    if OBSERVATIONS.setdefault(name, observation) is not observation:
        raise ValueError(
            f"observation name: expected one that is free, got {name!r}, which is taken"
        )


def _check_row(name: str, row: Observation) -> None:
    """Raise TypeError or ValueError for a row that could not be used."""
    needed: dict[str, Any] = {"space": row.space, "ground": row.ground}
    ways = {"plain": row.plain, "partial": row.partial, "function": row.function}
    given = {way: value for way, value in ways.items() if value is not None}
    optional = {"proof": row.proof, "of_one": row.of_one}
    needed |= {field: value for field, value in optional.items() if value is not None}
    for field, value in {**needed, **given}.items():
        if not callable(value):
            raise TypeError(f"observation {name!r}: expected {field} to be callable, got {value!r}")
    if not given or ("function" in given and len(given) > 1):
        came = ", ".join(given) or "none"
        raise ValueError(f"observation {name!r}: expected kernels or a function, got {came}")
    if row.of_one is not None and row.plain is None:
        raise ValueError(
            f"observation {name!r}: expected of_one beside plain, in whose place it is taken, "
            "got no plain"
        )
    if not isinstance(row.shows, Shown):
        raise TypeError(f"observation {name!r}: expected shows to be a Shown, got {row.shows!r}")
    if not isinstance(row.hides, bool) or (row.hides and row.function is None):
        raise ValueError(
            f"observation {name!r}: expected hides True or False, True beside a function alone "
            f"(a partial kernel always heeds the view), got {row.hides!r}"
        )


def checked_space(name: str, space: Any) -> spaces.Box:
    """The space that a row made for a world.

    Raises:
        TypeError: anything but a Box.
    """
    if not isinstance(space, spaces.Box):
        raise TypeError(f"observation {name!r}: expected its space to be a Box, got {space!r}")
    return space


def is_markov(observation: str, levels: Sequence[Grid], view: View, hit_ends: bool) -> bool:
    """Tell whether an observation shows all that decides the future, the time limit aside.

    True is a guarantee. False says that on these levels something that may matter is not shown
    (see `markov`), or that nothing is known of the observation: it is not in `OBSERVATIONS`, or
    its row has no proof.
    """
    known = OBSERVATIONS.get(observation)
    return known is not None and known.proof is not None and known.proof(levels, view, hit_ends)
