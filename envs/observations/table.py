"""What the agent is shown: the observations by name, and whether they tell enough."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sidestep.envs.levels.level import Level

from .features import book, book_space, features, features_space, glimpses, no_ground
from .markov import book_tells, features_tell, planes_tell, window_tells
from .planes import planes, planes_ground, planes_space, window, window_ground, window_space
from .view import View


class Observation(NamedTuple):
    """An observation: its Box on some levels, and its kernels."""

    space: Callable[[Sequence[Level], View], spaces.Box]
    plain: Callable[..., None] | None
    """Kernel of (state, level_of, sites, rules, out), where nothing is hidden."""
    partial: Callable[..., None] | None
    """Kernel of (state, clock, level_of, sites, ground, rules, view, out)."""
    ground: Callable[[Sequence[Level], View], NDArray[np.uint8]]
    """What of it never moves, made once; for the partial kernel."""
    proof: Callable[[Sequence[Level], View, bool], bool] | None = None
    """Of (levels, view, hit_ends): whether it tells all that decides the future; None: unknown."""


OBSERVATIONS = {
    "features": Observation(features_space, features, glimpses, no_ground, features_tell),
    "planes": Observation(planes_space, None, planes, planes_ground, planes_tell),
    "window": Observation(window_space, None, window, window_ground, window_tells),
    "book": Observation(book_space, book, None, no_ground, book_tells),
}
"""Every value of the keyword `observation`."""


def empty(space: spaces.Box, lanes: int) -> NDArray[Any]:
    """An array for the observations of `lanes` lanes, (lanes, *space.shape)."""
    return np.empty((lanes, *space.shape), dtype=space.dtype)


def is_markov(observation: str, levels: Sequence[Level], view: View, hit_ends: bool) -> bool:
    """Tell whether an observation shows all that decides the future, the time limit aside.

    True is a guarantee. False says that on these levels something that may matter is not shown
    (see `markov`), or that nothing is known of the observation: it is not in `OBSERVATIONS`, or
    its row has no proof.
    """
    known = OBSERVATIONS.get(observation)
    return known is not None and known.proof is not None and known.proof(levels, view, hit_ends)
