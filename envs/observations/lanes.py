"""What an observation that is a plain function is given: the lanes of a world, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidestep.envs.rules.columns import FIRST, GOAL_X, GOAL_Y, PHASE, X, Y
from sidestep.envs.rules.grid import Grid

from .view import View


class Lanes(NamedTuple):
    """N worlds side by side, of K obstacles each; every array is read-only.

    Columns count from the left and rows from the top, both from 0.
    """

    agent: NDArray[np.int16]
    """(N, 2) column and row."""
    goal: NDArray[np.int32]
    """(N, 2) column and row."""
    obstacles: NDArray[np.int16]
    """(N, K, 4) column, row and heading (hx, hy) of each; (0, 0) is a wanderer."""
    phase: NDArray[np.int16]
    """(N,) ticks until the obstacles move; 0: in the coming tick."""
    tick: NDArray[np.int32]
    """(N,) ticks of the episode so far."""
    level_of: NDArray[np.int32]
    """(N,) which of `levels` each lane plays."""
    levels: tuple[Grid, ...]
    view: View
    """What the configuration asks to leave out; whole unless the observation's row `hides`."""


Function = Callable[[Lanes], Any]
"""From N lanes to (N, *space.shape), in the space's dtype or another of its kind."""


@dataclass(frozen=True)
class FunctionKernel:
    """A plain function as the `partial` kernel of `Observation`, for one world."""

    function: Function
    name: str
    """Of the observation, for errors."""
    levels: tuple[Grid, ...]
    view: View

    def __call__(
        self,
        state: Any,
        clock: Any,
        level_of: Any,
        sites: Any,
        ground: Any,
        rules: Any,
        view: Any,
        out: Any,
    ) -> None:
        """Fill `out` with what the function makes of the lanes.

        Raises:
            TypeError, ValueError: it returned what does not fit into `out`.
        """
        lanes, number = len(clock), (len(state) - FIRST) // 4
        facts = Lanes(
            agent=_read_only(state[[X, Y]].T),
            goal=_read_only(sites[level_of][:, [GOAL_X, GOAL_Y]]),
            obstacles=_read_only(state[FIRST:].T.reshape(lanes, number, 4)),
            phase=_read_only(state[PHASE]),
            tick=_read_only(clock),
            level_of=_read_only(level_of),
            levels=self.levels,
            view=self.view,
        )
        shown = np.asarray(self.function(facts))
        if shown.shape != out.shape:
            raise ValueError(f"observation {self.name!r}: expected {out.shape}, got {shown.shape}")
        if not np.can_cast(shown.dtype, out.dtype, "same_kind"):
            raise TypeError(f"observation {self.name!r}: expected {out.dtype}, got {shown.dtype}")
        out[:] = shown


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view
