"""What a view shows: facts of one tick, gathered by who plays, drawn by `watching.view`.

Axis letters: A actions, K ticks, (H, W) rows and columns of a level.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidestep.agents.insight import Insight
from sidestep.envs import Cell, Scene
from sidestep.envs.drawing.sight import Sight

Pixels = NDArray[np.uint8]
"""A picture, (H, W, 3)."""

OUR_ACTIONS = ("up", "down", "right", "left", "stay")
STEPS = ((0, -1), (0, 1), (1, 0), (-1, 0), (0, 0))
"""Columns and rows that our actions go."""


class CellValues(NamedTuple):
    """What each cell would be worth to whom acts, were the agent there now."""

    values: NDArray[np.float64] | None
    """(H, W), NaN where nothing can stand; None where nothing has learned values."""
    actions: NDArray[np.int64]
    """(H, W) what would be done there, -1 where nothing can stand."""


class Curve(NamedTuple):
    """A learning curve so far; every line is a sequence of (env steps, figure)."""

    returns: tuple[tuple[float, float], ...] = ()
    """Mean return of episodes while exploring."""
    success: tuple[tuple[float, float], ...] = ()
    """Share of them at the goal; none where the env does not tell."""
    greedy_returns: tuple[tuple[float, float], ...] = ()
    """Of evaluations."""
    greedy_success: tuple[tuple[float, float], ...] = ()
    total_steps: int | None = None
    """Where training will end; None: where it ended is where the lines do."""

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]], total_steps: int | None = None) -> "Curve":
        """The curve of a log's records (`sidestep.sequence.fitting.log.read_log`)."""

        def line(name: str) -> tuple[tuple[float, float], ...]:
            return tuple((r["steps"], r[name]) for r in records if name in r)

        def evaluated(name: str) -> tuple[tuple[float, float], ...]:
            found = ((r["steps"], r["evaluation"].get(name)) for r in records if "evaluation" in r)
            return tuple((steps, value[0]) for steps, value in found if value is not None)

        greedy = evaluated("return_mean"), evaluated("success")
        return cls(line("return"), line("success"), *greedy, total_steps)


WINDOW = 24
"""Ticks of which memory and gates are shown, the present one at the right."""


class Moment(NamedTuple):
    """One tick as it is shown; who plays leaves out what no panel asks for."""

    scene: Scene | None = None
    """Of our worlds."""
    picture: Pixels | None = None
    """(H, W, 3) of other envs."""
    sight: Sight | None = None
    """What the agent sees of the scene."""
    actions: tuple[str, ...] = OUR_ACTIONS
    """Names of the A actions."""
    action: int | None = None
    """What will be done in this tick; None after an episode's last."""
    last_action: int | None = None
    """After an episode's last: what was done in the tick before, which the insights are of."""
    insights: tuple[Insight, ...] = ()
    """Of the last ticks of this episode, the present one last."""
    optimal: NDArray[np.float64] | None = None
    """(A,) exact action values of the situation; None where the solver does not know them."""
    regrets: tuple[float, ...] = ()
    """What each action of this episode cost against the best one, the present one last."""
    cells: CellValues | None = None
    trail: tuple[Cell, ...] = ()
    """Where the agent was in this episode, the present cell last."""
    curve: Curve | None = None
    forced: Mapping[str, float] = MappingProxyType({})
    """Gates that are held at a value, by their letter."""
    statement: str = ""
    """What stands below everything, where the agent does not act as it was trained."""

    @property
    def insight(self) -> Insight | None:
        """Of the present tick, or of the episode's last."""
        return self.insights[-1] if self.insights else None
